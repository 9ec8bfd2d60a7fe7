"""The relay's certificate, where it speaks TLS itself.

Knows two files and one context; connections that stand go on with what they began with when the
files are read again.
"""

import ssl

from relay.errors import ConfigError


class Certificate:
    """A certificate and its key; ``context`` is always the newest."""

    def __init__(self, certfile: str, keyfile: str) -> None:
        self._files = certfile, keyfile or None
        self.context = self._read()

    def reload(self) -> None:
        """Read the files again; raise ConfigError, and then all is as before."""
        self.context = self._read()

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Tickets would be state that tells one visit of a client from another's.
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
        context.num_tickets = 0
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(*self._files, password=_no_password)
        except (OSError, ValueError) as exc:
            why = exc.strerror if type(exc) is not ssl.SSLError and isinstance(exc, OSError) else ""
            raise ConfigError(f"cannot use certfile and keyfile: {why or _HINT}") from exc
        return context


_HINT = "they must be PEM, belong together, and the key must not be encrypted"


def _no_password() -> bytes:
    # Without this a prompt would wait on the operator's terminal.
    return b""
