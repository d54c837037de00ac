"""SHA-1 and SHA-256 without OpenSSL, whose loading takes longer than all that a run hashes."""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself is not needed here
if TYPE_CHECKING:
    from hashlib import sha1, sha256
else:
    try:
        from _sha1 import sha1
    except ImportError:
        from hashlib import sha1
    try:
        from _sha2 import sha256  # of Python 3.12 and later
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:
            from hashlib import sha256

__all__ = ["sha1", "sha256"]
