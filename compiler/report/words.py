"""Numbers as people read them: few digits, thousands as prefixes, a thin space before units."""

from __future__ import annotations

import math

THIN = "\u202f"
_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def quantity(value: float, unit: str = "", digits: int = 3) -> str:
    """Write a number with a prefix of its unit.

    >>> [quantity(x, "J").replace(THIN, " ") for x in (0, 1.234e-12, 4.6e-6, 999.9)]
    ['0 J', '1.23 pJ', '4.60 µJ', '1.00 kJ']
    >>> quantity(1234567).replace(THIN, " "), quantity(12)
    ('1.23 M', '12')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}{THIN}{unit}".rstrip(THIN)
    if not unit and float(value).is_integer() and abs(value) < 1000:
        return f"{value:.0f}"
    rounded = float(f"{value:.{digits - 1}e}")
    power = 3 * math.floor(math.log10(abs(rounded)) / 3 + 1e-12)
    power = min(max(power, min(_PREFIXES)), max(_PREFIXES))
    if not unit and power < 0:
        return plain(value, digits)
    scaled = rounded / 10.0**power
    before = len(str(int(abs(scaled))))
    text = f"{scaled:.{max(0, digits - before)}f}"
    return f"{text}{THIN}{_PREFIXES[power]}{unit}".rstrip(THIN)


def plain(value: float, digits: int = 3) -> str:
    """Write a number with so many digits, without an exponent where it can be read.

    >>> plain(0.123456), plain(3.0), plain(1234.5), plain(1.5e-7), plain(0.0)
    ('0.123', '3.00', '1,234', '1.50e-07', '0')
    """
    if value == 0:
        return "0"
    if 10**digits <= abs(value) < 1e7:
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".removesuffix(".")


def percent(share: float, digits: int = 1) -> str:
    """Write a share.

    >>> percent(0.98765).replace(THIN, " ")
    '98.8 %'
    """
    return f"{100 * share:.{digits}f}{THIN}%"


def few(share: float) -> str:
    """Write a share where its first digit says enough: what is not nothing does not look like it.

    >>> [few(x).replace(THIN, " ") for x in (0.0, 0.004, 0.254, 0.9999, 1.0, 864.0)]
    ['0 %', '<1 %', '25 %', '>99 %', '100 %', '864 times']
    """
    if 0 < share < 0.01:
        return f"<1{THIN}%"
    if share >= 10:
        return f"{share:,.0f}{THIN}times"
    if 0.99 < share < 1:
        return f">99{THIN}%"
    return f"{100 * share:.0f}{THIN}%"
