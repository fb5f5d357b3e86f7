"""What an .xlsx or .xlsm really says: a streaming reader, one pass over each sheet's XML, of memory that is bounded.

`package` finds the parts of the zip, `styles` and `strings` hold what cells point to, `sheet` reads rows.
"""

from bulkload.workbook.package import open_tables as open_tables
