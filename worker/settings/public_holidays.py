"""Tells the public holidays of a country, or of a part of it, by the `holidays` library.

The library is loaded by the first route that names holidays: no other process pays for it (0.4 s, most
of it the first country). Called by `worker.settings.policy`.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from holidays import HolidayBase


def holiday_test(code: str) -> Callable[[date], bool]:
    """Return what tells whether a day is a public holiday: of `IN`, or of its subdivision `IN-KA`.

    Codes are those of ISO 3166; regional holidays are known only where the subdivision is named.
    Raises `ConfigurationError` where the library knows no such place.
    """
    import holidays  # noqa: PLC0415 - slow, and seldom needed
    from holidays.registry import COUNTRIES  # noqa: PLC0415

    # It says this for years that its lunar calendars only estimate; nobody could do more about it.
    warnings.filterwarnings("ignore", message="Requested Holidays are available only")
    country, _, subdivision = code.strip().partition("-")
    names = {known: name for name, (_, *codes) in COUNTRIES.items() for known in codes}
    if country.upper() not in names:
        raise ConfigurationError(
            f"no holidays are known of {country!r}{_suggest(country, COUNTRIES)}; write a country as in"
            " ISO 3166, such as IN, or its subdivision too, such as IN-KA"
        )
    found = holidays.country_holidays(country.upper())
    if subdivision:
        part = _subdivision(found, subdivision)
        found = holidays.country_holidays(country.upper(), subdiv=part)
    return found.__contains__


def _suggest(country: str, countries: Mapping[str, Sequence[str]]) -> str:
    """Return the end of a message with the code of the country that goes by nearly this name."""
    written = country.strip().lower().replace(" ", "_")
    near = difflib.get_close_matches(written, list(countries), n=1, cutoff=0.8)
    return f"; did you mean {countries[near[0]][1]}?" if near else ""


def _subdivision(country: HolidayBase, written: str) -> str:
    """Return the code of a part of a country, which may be written as its name."""
    by_name = {code.casefold(): code for code in country.subdivisions}
    by_name |= {name.casefold(): code for name, code in country.subdivisions_aliases.items()}
    if (part := by_name.get(written.casefold())) is not None:
        return part
    code = country.country
    near = difflib.get_close_matches(written.casefold(), [n for n in by_name if len(n) > 3], n=1)
    meant = f"did you mean {code}-{by_name[near[0]]}?" if near else _known(country)
    raise ConfigurationError(f"no holidays are known of {f'{code}-{written}'!r}; {meant}")


def _known(country: HolidayBase) -> str:
    if not country.subdivisions:
        return f"write {country.country} alone"
    return f"there are {', '.join(sorted(country.subdivisions))}"
