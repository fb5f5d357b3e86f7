"""A filled-in spreadsheet becomes records in a REST API: read → validate → plan → send → write."""
