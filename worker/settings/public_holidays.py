"""Knows the public holidays of a country or a part of it, from the `holidays` library.

The library is loaded for the first route that names holidays, because it takes 0.4 s, most of it for
the first country. Called by `worker.settings.policy`.
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
    """Return a test whether a day is a public holiday in `IN`, or in its subdivision `IN-KA`.

    The codes are those of ISO 3166. Regional holidays need the subdivision. Raises
    `ConfigurationError` when the library does not know the place.
    """
    import holidays  # noqa: PLC0415 - slow and rarely needed
    from holidays.registry import COUNTRIES  # noqa: PLC0415

    # The library warns about years for which it estimates lunar calendars; no user can change that.
    warnings.filterwarnings("ignore", message="Requested Holidays are available only")
    country, _, subdivision = code.strip().partition("-")
    names = {known: name for name, (_, *codes) in COUNTRIES.items() for known in codes}
    if country.upper() not in names:
        raise ConfigurationError(
            f"no holidays are known for {country!r}{_suggest(country, COUNTRIES)}; write a country code"
            " of ISO 3166, such as IN, or one with its subdivision, such as IN-KA"
        )
    found = holidays.country_holidays(country.upper())
    if subdivision:
        part = _subdivision(found, subdivision)
        found = holidays.country_holidays(country.upper(), subdiv=part)
    return found.__contains__


def _suggest(country: str, countries: Mapping[str, Sequence[str]]) -> str:
    """Return the end of a message that suggests the code of the country with a similar name."""
    written = country.strip().lower().replace(" ", "_")
    near = difflib.get_close_matches(written, list(countries), n=1, cutoff=0.8)
    return f"; did you mean {countries[near[0]][1]}?" if near else ""


def _subdivision(country: HolidayBase, written: str) -> str:
    """Return the code of a subdivision that is written as its code or its name."""
    by_name = {code.casefold(): code for code in country.subdivisions}
    by_name |= {name.casefold(): code for name, code in country.subdivisions_aliases.items()}
    if (part := by_name.get(written.casefold())) is not None:
        return part
    code = country.country
    near = difflib.get_close_matches(written.casefold(), [n for n in by_name if len(n) > 3], n=1)
    meant = f"did you mean {code}-{by_name[near[0]]}?" if near else _known(country)
    raise ConfigurationError(f"no holidays are known for {f'{code}-{written}'!r}; {meant}")


def _known(country: HolidayBase) -> str:
    if not country.subdivisions:
        return f"write {country.country} without a subdivision"
    return f"its subdivisions are {', '.join(sorted(country.subdivisions))}"
