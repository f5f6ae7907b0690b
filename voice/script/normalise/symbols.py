"""Typography and symbols: quotes, dashes, addresses of the web, and signs that are words."""

from __future__ import annotations

import re

from voice.script.normalise.rules import Context, Rule

_SINGLE_OPEN = re.compile(
    r"(?:(?<=^)|(?<=[\s(\[—–“\"-]))['‘](?=[\w“\"…$£€¿¡.\U000f0000-\U000fffff])"
)
_ELISIONS = re.compile(
    r"['‘’](?:tis|twas|twere|twill|twould|em|er|im|is|ad|ave|e|ere|ow|ome|ouse|orse|arf|alf|til|"
    r"till|cause|cos|bout|round|neath|gainst|mid|pon|n|nuff|scuse|spect|\d\ds?)\b",
    re.I,
)
_SINGLE_CLOSE = re.compile(r"(?:(?<=[.,!?…;:)—-])|(?<=[\w\U000f0000-\U000fffff]))['’](?!\w)")


def typography(text: str) -> str:
    """Bring quotes, dashes and dots into the plain forms the voices know.

    Single quotes around speech become double ones; apostrophes stay. Square brackets and the
    like become round ones, so that text can never look like the program's own marks.
    """
    text = re.sub(r"\.(?:[ ]?\.){2,}", "…", text)
    text = re.sub(r"\s*…\s*(?=[.,!?;:…])", "…", text)
    text = _quotes(text)
    text = text.replace("’", "'").replace("‘", "'").replace("‚", ",").replace("`", "'")
    text = re.sub(r"[„‟«»‹›“”]", '"', text)
    text = re.sub(r"''", '"', text)
    # Speech within speech opens or closes with both marks: one is enough for a voice.
    text = re.sub(r'(?<![^\s(—])"\s?"(?=[\w…])', '"', text)
    text = re.sub(r'(?<=[.,!?…—])"\s?"(?!\w)', '"', text)
    text = text.translate(_BRACKETS)
    text = re.sub(r"[⸺⸻]|(?<=\s)—{2,}(?=[\s,.;!?]|'s|$)", " blank ", text)
    text = re.sub(r"\s?(?:--+|—+|―+|\s–\s)\s?", "—", text)
    return re.sub(r"(?<=[^\W\d_])–(?=[^\W\d_])", "-", text)


_BRACKETS = str.maketrans({"[": "(", "]": ")", "{": "(", "}": ")", "⟨": "(", "⟩": ")"})


def _quotes(text: str) -> str:
    """Turn single quotation marks around speech into double ones."""
    if "'" not in text and "‘" not in text and "’" not in text:
        return text
    out: list[str] = []
    position = pending = 0
    for match in re.finditer(r"['‘’]", text):
        at = match.start()
        out.append(text[position:at])
        position = at + 1
        elision = _ELISIONS.match(text, at)
        if elision and (match.group() != "‘" or elision.end() - at > 2):
            out.append("'")
        elif _SINGLE_OPEN.match(text, at) and match.group() != "’":
            out.append('"')
            pending += 1
        elif _SINGLE_CLOSE.match(text, at) and (pending or text[at - 1] in ".,!?…"):
            plural = text[at - 1] in "sS" and not _closes(text, at, pending)
            out.append("'" if plural else '"')
            pending -= not plural and pending > 0
        else:
            out.append("'")
    out.append(text[position:])
    return "".join(out)


def _closes(text: str, at: int, pending: int) -> bool:
    """Say whether the mark after an s closes a quotation rather than marks a plural possessive."""
    later = _SINGLE_CLOSE.search(text, at + 1)
    return bool(pending) and later is None


_TLD = (
    r"(?:com|org|net|edu|gov|int|info|io|dev|app|eu|uk|us|de|fr|es|it|nl|ch|at|ca|au|ie|tv|me|co)"
)
_URL = re.compile(
    rf"\b(?:https?://|www\.)[^\s<>\"”’)]+|\b(?:[a-z0-9-]+\.)+{_TLD}\b(?:/[^\s<>\"”’)]*)?", re.I
)
_EMAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[\w-]+\.){1,4}[A-Za-z]{2,12}\b")


def web(text: str) -> str:
    """Say addresses shortly: the site without its path; an e-mail address with "at" and "dot"."""
    if "@" in text:
        text = _EMAIL.sub(_say_email, text)
    if "." in text:
        text = _URL.sub(_say_url, text)
    return text


def _say_email(match: re.Match[str]) -> str:
    user, _, host = match.group().partition("@")
    return f"{_say_dots(user)} at {_say_dots(host)}"


def _say_url(match: re.Match[str]) -> str:
    address = match.group()
    trailing = address[len(address.rstrip(".,;:!?'")) :]
    host = re.sub(r"^https?://", "", address[: len(address) - len(trailing)], flags=re.I)
    host = re.split(r"[/?#:]", host, maxsplit=1)[0]
    host = re.sub(r"^www\.", "", host, flags=re.I)
    return _say_dots(host) + trailing


def _say_dots(name: str) -> str:
    said = name.replace(".", " dot ").replace("-", " dash ").replace("_", " underscore ")
    return " ".join(said.replace("+", " plus ").split())


_POWERS = {"²": " squared", "³": " cubed"}
_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "epsilon",
    "θ": "theta",
    "λ": "lambda",
    "μ": "mu",
    "π": "pi",
    "ρ": "rho",
    "σ": "sigma",
    "τ": "tau",
    "φ": "phi",
    "χ": "chi",
    "ψ": "psi",
    "ω": "omega",
    "Δ": "delta",
    "Σ": "sigma",
    "Ω": "omega",
}


LONE_GREEK = re.compile(rf"(?<![^\W\d_])[{''.join(_GREEK)}](?![^\W\d_])")
"""A Greek letter on its own is a symbol with a name."""


def _power(match: re.Match[str], _: Context) -> str:
    return _POWERS.get(match.group(), "")


BEFORE_NUMBERS: tuple[Rule, ...] = (
    (re.compile(r"(?<=\w)[²³]"), _power),
    (re.compile(r"§§?\s?(?=\d)"), lambda match, context: "section "),
    (re.compile(r"(?<!\w)#\s?(?=\d)"), lambda match, context: "number "),
    (re.compile(r"(?<!\w)#(?=[A-Za-z])"), lambda match, context: "hashtag "),
    (re.compile(r"(?<!\w)[~≈]\s?(?=\d)"), lambda match, context: "about "),
    (re.compile(r"(?<=\d)\s?[×xX]\s?(?=\d)"), lambda match, context: " by "),
    (re.compile(r"\s?±\s?"), lambda match, context: " plus or minus "),
    (re.compile(r"(?<=[\w)])\s\+\s(?=[\w(])|(?<=\d)\+(?=\d)"), lambda match, context: " plus "),
    (re.compile(r"(?<=\d)\s−\s?(?=\d)"), lambda match, context: " minus "),
    (re.compile(r"\s?≠\s?"), lambda match, context: " is not equal to "),
    (re.compile(r"\s?≤\s?"), lambda match, context: " is at most "),
    (re.compile(r"\s?≥\s?"), lambda match, context: " is at least "),
    (re.compile(r"(?<=[\w)])\s?=\s?(?=[\w(+−-])"), lambda match, context: " equals "),
    (re.compile(r"(?<=\w)\s<\s(?=\w)"), lambda match, context: " is less than "),
    (re.compile(r"(?<=\w)\s>\s(?=\w)"), lambda match, context: " is more than "),
    (re.compile(r"(?<=\d)\s?÷\s?(?=\d)"), lambda match, context: " divided by "),
    (re.compile(r"(?<!\w)&c\b\.?"), lambda match, context: "et cetera"),
    (re.compile(r"\s?[&＆]\s?"), lambda match, context: " and "),
    (
        LONE_GREEK,
        lambda match, context: _GREEK[match.group()],
    ),
)

AFTER_NUMBERS: tuple[Rule, ...] = (
    (re.compile(r"\s@\s|(?<=\w)@(?=\w)"), lambda match, context: " at "),
    (re.compile(r"(?<!\w)@(?=\w)"), lambda match, context: "at "),
    (re.compile(r"\b(and)/(or)\b"), lambda match, context: "and or"),
    (re.compile(r"(?<=\w)\s?/\s?(?=\w)"), lambda match, context: " or "),
    (re.compile(r"°"), lambda match, context: " degrees "),
    (re.compile(r"\s?%"), lambda match, context: " per cent"),
    (re.compile(r"©\s?"), lambda match, context: "copyright "),
    (re.compile(r"[|¦]"), lambda match, context: ", "),
    (re.compile(r"[®™†‡*•·_\\^~<>=+#¶§@/′″]"), lambda match, context: " "),
)
