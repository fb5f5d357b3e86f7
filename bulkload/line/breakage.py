"""Why a request has no whole answer: libcurl's numbers in words for a person.

The words are our own alone: libcurl's may quote a header or an answer. The numbers are explained in
https://curl.se/libcurl/c/libcurl-errors.html.
"""

import errno
from urllib.parse import urlsplit

import pycurl

from bulkload.line.manner import Manner

# No status line; odd lines after it, by a name from the days of FTP; and a line that grew too long, which pycurl has no
# name for.
_NO_HTTP = frozenset({pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_FTP_WEIRD_SERVER_REPLY, 100})
_NO_ADDRESS = frozenset({pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY})
# What OpenSSL finds wrong with a certificate (X509_V_ERR_...). Another name than the server's has no number.
_UNTRUSTED = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "nobody but itself has signed it",
    19: "it comes from an authority that is not known here",
    20: "it comes from an authority that is not known here",
    21: "it comes from an authority that is not known here",
}
_OTHER_NAME = "it is not made for this name, or not as it should be"


def why(curl: pycurl.Curl, error: pycurl.error, url: str, manner: Manner, *, unsent: bool, headed: bool) -> str:
    """What kept a request from its answer. `unsent`: it never went out; `headed`: the head of the answer came."""
    code = error.args[0]
    if headed:
        cut = code != pycurl.E_OPERATION_TIMEDOUT
        return "the body of the answer was cut" if cut else f"no complete answer within {manner.deadline:g} s"
    return _unsent(curl, code, url, manner) if unsent else _lost(curl, code, url, manner)


def _lost(curl: pycurl.Curl, code: int | str, url: str, manner: Manner) -> str:
    """Why a request that was sent has no answer."""
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return f"no answer within {manner.deadline:g} s"
    if code == pycurl.E_GOT_NOTHING:
        return "the connection was closed before an answer came"
    if code in _NO_HTTP:
        return "what came back is not an HTTP answer"
    return f"the connection to {_peer(url)} {'was reset' if _reset(curl) else 'broke'} after the request was sent"


def _unsent(curl: pycurl.Curl, code: int | str, url: str, manner: Manner) -> str:
    """Why there was no connection. With a proxy it is made to that; its own TLS comes before the tunnel."""
    tunnel = curl.getinfo(pycurl.HTTP_CONNECTCODE)
    if tunnel not in (0, 200):
        return f"the proxy refused the tunnel with status {tunnel}"
    peer = _peer(manner.proxy or url)
    if code in _NO_ADDRESS:
        return f"no address is known for {peer}"
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return f"no connection to {peer} within {min(manner.connect_timeout, manner.deadline):g} s"
    if code == pycurl.E_COULDNT_CONNECT and curl.getinfo(pycurl.OS_ERRNO) == errno.ECONNREFUSED:
        return f"connection refused by {peer}"
    at_proxy = manner.proxy.startswith("https:") and not tunnel
    host = urlsplit(manner.proxy if at_proxy else url).hostname
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        found = curl.getinfo(pycurl.PROXY_SSL_VERIFYRESULT if at_proxy else pycurl.SSL_VERIFYRESULT)
        return f"the certificate of {host} is not trusted: {_UNTRUSTED.get(found, _OTHER_NAME)}"
    if _reset(curl):
        return f"the connection to {peer} was reset before the request was sent"
    if code == pycurl.E_SSL_CONNECT_ERROR:
        return f"TLS with {host} failed: it speaks another version, or none"
    return f"no connection to {peer} (libcurl's error {code})"


def _peer(url: str) -> str:
    """Host and port, without the sign-in that a proxy's address may hold."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _reset(curl: pycurl.Curl) -> bool:
    return curl.getinfo(pycurl.OS_ERRNO) in (errno.ECONNRESET, errno.EPIPE)
