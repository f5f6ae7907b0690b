"""Units, temperatures, angles, percentages: the symbol becomes a word, the number stays."""

from __future__ import annotations

import re

from voice.script.normalise.rules import NUMBER, Context, Rule, ends_text, full_stop

_UNITS: dict[str, tuple[str, str]] = {
    "km/h": ("kilometre per hour", "kilometres per hour"),
    "kph": ("kilometre per hour", "kilometres per hour"),
    "mph": ("mile per hour", "miles per hour"),
    "m.p.h.": ("mile per hour", "miles per hour"),
    "m/s": ("metre per second", "metres per second"),
    "km²": ("square kilometre", "square kilometres"),
    "m²": ("square metre", "square metres"),
    "cm²": ("square centimetre", "square centimetres"),
    "m³": ("cubic metre", "cubic metres"),
    "cm³": ("cubic centimetre", "cubic centimetres"),
    "km": ("kilometre", "kilometres"),
    "cm": ("centimetre", "centimetres"),
    "mm": ("millimetre", "millimetres"),
    "nm": ("nanometre", "nanometres"),
    "µm": ("micrometre", "micrometres"),
    "m": ("metre", "metres"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "ml": ("millilitre", "millilitres"),
    "cl": ("centilitre", "centilitres"),
    "L": ("litre", "litres"),
    "l": ("litre", "litres"),
    "ha": ("hectare", "hectares"),
    "lbs": ("pound", "pounds"),
    "lb": ("pound", "pounds"),
    "℔": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "cwt": ("hundredweight", "hundredweight"),
    "ft": ("foot", "feet"),
    "yds": ("yard", "yards"),
    "yd": ("yard", "yards"),
    "mi": ("mile", "miles"),
    "gal": ("gallon", "gallons"),
    "pt": ("pint", "pints"),
    "qt": ("quart", "quarts"),
    "bu": ("bushel", "bushels"),
    "hp": ("horsepower", "horsepower"),
    "h.p.": ("horsepower", "horsepower"),
    "rpm": ("revolution per minute", "revolutions per minute"),
    "dB": ("decibel", "decibels"),
    "GHz": ("gigahertz", "gigahertz"),
    "MHz": ("megahertz", "megahertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "Hz": ("hertz", "hertz"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "MW": ("megawatt", "megawatts"),
    "kW": ("kilowatt", "kilowatts"),
    "kV": ("kilovolt", "kilovolts"),
    "GB": ("gigabyte", "gigabytes"),
    "MB": ("megabyte", "megabytes"),
    "kB": ("kilobyte", "kilobytes"),
    "KB": ("kilobyte", "kilobytes"),
    "TB": ("terabyte", "terabytes"),
    "ms": ("millisecond", "milliseconds"),
    "sec": ("second", "seconds"),
    "secs": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"),
    "hrs": ("hour", "hours"),
    "hr": ("hour", "hours"),
}
_SYMBOLS = "|".join(re.escape(symbol) for symbol in sorted(_UNITS, key=len, reverse=True))
_SQUARES = {
    "m": "miles",
    "mi": "miles",
    "ft": "feet",
    "in": "inches",
    "yd": "yards",
    "yds": "yards",
    "km": "kilometres",
}


def _spell(name: str, context: Context) -> str:
    if context.british:
        return name
    return name.replace("metre", "meter").replace("litre", "liter")


def _unit(match: re.Match[str], context: Context) -> str:
    amount, symbol = match["amount"], match["symbol"]
    dot = match["dot"]
    singular = amount in {"1", "½", "¼", "¾"} or match["gap"] == "-"
    one, many = _UNITS[symbol]
    if symbol == "m" and dot and not ends_text(match):
        # SI symbols take no full stop: "20 m. farther" in an older book are miles.
        one, many = "mile", "miles"
    return f"{amount} {_spell(one if singular else many, context)}{full_stop(match)}"


def _square(match: re.Match[str], context: Context) -> str:
    kind = "square" if match["kind"] == "sq" else "cubic"
    return f"{match['amount']} {kind} {_SQUARES[match['unit']]}{full_stop(match)}"


def _feet_inches(match: re.Match[str], _: Context) -> str:
    """Read "6 ft 2 in" and "6′2″"."""
    parts = []
    if match["feet"]:
        parts.append(f"{match['feet']} {'foot' if match['feet'] == '1' else 'feet'}")
    if match["inches"]:
        parts.append(f"{match['inches']} {'inch' if match['inches'] == '1' else 'inches'}")
    return " ".join(parts) + full_stop(match)


def _inches(match: re.Match[str], _: Context) -> str:
    return f"{match['inches']} {'inch' if match['inches'] == '1' else 'inches'}{full_stop(match)}"


def _temperature(match: re.Match[str], _: Context) -> str:
    minus = "minus " if match["sign"] else ""
    degrees = "degree" if match["amount"] == "1" else "degrees"
    scale = {"C": " Celsius", "F": " Fahrenheit", "℃": " Celsius", "℉": " Fahrenheit"}
    letter = (match["scale"] or match["sign2"] or "").strip(" .")
    return f"{minus}{match['amount']} {degrees}{scale.get(letter, '')}{full_stop(match)}"


def _angle(match: re.Match[str], _: Context) -> str:
    """Read "31′" and "39″" after degrees as minutes and seconds."""
    unit = "minute" if match["mark"] in "′'" else "second"
    return f"{match['amount']} {unit}{'' if match['amount'] == '1' else 's'}"


def _percent(match: re.Match[str], _: Context) -> str:
    return f"{match['amount']} per {'cent' if match['sign'] == '%' else 'mille'}"


_AMOUNT = rf"(?P<amount>(?:{NUMBER})|[½¼¾])"

UNITS: tuple[Rule, ...] = (
    (
        re.compile(
            rf"(?P<sign>(?<![\w\d])[-−–])?{_AMOUNT}\s?(?:°(?:\s?(?P<scale>[CF]\b\.?))?|(?P<sign2>[℃℉]))"
        ),
        _temperature,
    ),
    (re.compile(r"(?<=degrees )(?P<amount>\d{1,2})\s?(?P<mark>[′'])(?!\w)"), _angle),
    (re.compile(r"(?<=minutes )(?P<amount>\d{1,2})\s?(?P<mark>[″\"])(?!\w)"), _angle),
    (
        re.compile(
            r"(?<![\w.])(?P<feet>\d{1,3})(?:′|'|\s?ft\.?,?\s)\s?"
            r"(?P<inches>\d{1,2}[½¼¾]?)(?:″|\"|''|\s?in\b\.?)"
        ),
        _feet_inches,
    ),
    (re.compile(r"(?<![\w.])(?P<feet>\d{1,3})′(?P<inches>)(?!\w)"), _feet_inches),
    (re.compile(r"(?<![\w.])(?P<inches>\d{1,3}[½¼¾]?)″(?!\w)"), _inches),
    (
        re.compile(r"(?<![\w.])(?P<inches>\d{1,3}(?:\.\d+)?[½¼¾]?)\s?in\.(?=\s[a-z(]|[,;:)]|\s*$)"),
        _inches,
    ),
    (re.compile(rf"{_AMOUNT}\s?(?P<sign>[%‰])"), _percent),
    (
        re.compile(rf"{_AMOUNT}\s(?P<kind>sq|cu)\.?\s(?P<unit>km|mi|m|ft|in|yds|yd)\b\.?"),
        _square,
    ),
    (
        re.compile(
            rf"(?<![\w.,$£€]){_AMOUNT}(?P<gap>[\s-]?)(?P<symbol>{_SYMBOLS})(?![\w'’/²³]|-\d)(?P<dot>\.?)"
            r"(?!\w)"
        ),
        _unit,
    ),
)
