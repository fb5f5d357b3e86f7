"""What an .ods really says: a streaming reader, one pass over its content for each sheet, of memory that is bounded.

`package` finds sheets and styles, `styles` turns styles into formats as Excel writes them, `sheet` reads rows.
"""

from bulkload.opendocument.package import open_tables as open_tables
