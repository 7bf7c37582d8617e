"""A secret is found in what a server says, however it is written there; other words stay."""

import base64
import html
import json
import textwrap
from urllib.parse import quote

import pytest

from andlib.llms.servers import masking

KEY = "sk-pr0j/Ab+9=Zq_<7&x"
hide = masking((KEY, "EMPTY", ""))

FORMS = {
    "plain": KEY,
    "capitals": KEY.upper(),
    "small letters": KEY.lower(),
    "backwards": KEY[::-1],
    "spaced": " ".join(KEY),
    "one letter a line": "\n".join(KEY),
    "zero-width": "\u200b".join(KEY),
    "address": quote(KEY, safe=""),
    "address, every letter": "".join(f"%{ord(c):02X}" for c in KEY),
    "address, twice": quote(quote(KEY, safe=""), safe=""),
    "JSON": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "JSON in JSON": json.dumps("".join(f"\\u{ord(c):04x}" for c in KEY)),
    "a string's escapes": "".join(f"\\x{ord(c):02x}" for c in KEY),
    "HTML": html.escape(KEY),
    "HTML, decimal": "".join(f"&#{ord(c)};" for c in KEY),
    "HTML, hexadecimal": "".join(f"&#x{ord(c):X};" for c in KEY),
    "hexadecimal": KEY.encode().hex(),
    "hexadecimal capitals": KEY.encode().hex().upper(),
    "hexadecimal, spaced": KEY.encode().hex(" "),
    "a dump": ", ".join(f"0x{ord(c):02x}" for c in KEY),
}
FORMS |= {f"base64 behind {n}": base64.b64encode(b"Bearer: "[:n] + KEY.encode()).decode() for n in range(8)}
FORMS |= {f"base64 before {n}": base64.b64encode(KEY.encode() + b"\n says he"[:n]).decode() for n in range(8)}
FORMS["base64 for addresses"] = base64.urlsafe_b64encode(b"x:" + KEY.encode()).decode()
FORMS["base64 without ="] = FORMS["base64 behind 0"].rstrip("=")
FORMS["base64 in an address"] = quote(FORMS["base64 behind 1"], safe="")
FORMS["base64 in lines"] = "\n".join(textwrap.wrap(FORMS["base64 behind 2"], 9))


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_every_form(form):
    masked = hide(f"A dog barks. {FORMS[form]} Rain falls.")
    assert masked.startswith("A dog barks. ") and masked.endswith(" Rain falls.") and "***" in masked
    assert len(masked) <= len("A dog barks. *** Rain falls.") + 14  # of base64 what stood before, "Bearer: "


def test_other_words_stay():
    text = "The street is EMPTY and empty; sk-pr0j/Ab+9 is a part, c2st the beginning of any key in base64."
    assert hide(text) == text
    assert masking(())("anything") == "anything"


@pytest.mark.parametrize(
    "piece", ["s", "s k - p r 0 ", "%25", "73 ", "\\", "&#0", "c2stcHIwai9BYis5PVpx", "\n", KEY[:-1]]
)
def test_a_text_made_to_take_long_does_not(piece):
    assert hide(piece * (200_000 // len(piece)))  # minutes, if the search tried again what it had tried
