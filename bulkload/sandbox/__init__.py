"""A loopback server that plays any OpenAPI document, strictly, and can be told to misbehave.

`shape` writes a JSON value as a schema describes it, `gate` lets through what the document allows, `play` holds the
records and answers, `server` puts it on a port.
"""

from bulkload.sandbox.server import FAULTS, Arrived, Fault, Sandbox

__all__ = ["FAULTS", "Arrived", "Fault", "Sandbox"]
