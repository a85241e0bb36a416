"""Public holidays by the code of a country or region; the library is loaded only when needed."""

import subprocess
import sys
from datetime import date

import pytest

from worker.errors import ConfigurationError
from worker.settings.public_holidays import holiday_test

REPUBLIC_DAY = date(2026, 1, 26)
KANNADA_DAY = date(2026, 11, 1)


@pytest.mark.parametrize("code", ["IN", "in", "IND", " IN "])
def test_a_country_has_its_national_holidays(code):
    is_holiday = holiday_test(code)
    assert is_holiday(REPUBLIC_DAY)
    assert not is_holiday(KANNADA_DAY)
    assert not is_holiday(date(2026, 11, 25))


@pytest.mark.parametrize("code", ["IN-KA", "in-ka", "IN-Karnataka"])
def test_a_region_of_a_country_has_its_holidays_too(code):
    is_holiday = holiday_test(code)
    assert is_holiday(REPUBLIC_DAY)
    assert is_holiday(KANNADA_DAY)


def test_estimated_years_give_no_warning():
    is_holiday = holiday_test("IN")
    assert is_holiday(date(2060, 1, 26))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("XX", r"for 'XX'; write a country code of ISO 3166, such as IN, or one with"),
        ("", r"for ''; write a country code"),
        ("HolidayBase", r"for 'HolidayBase'; write a country code"),
        ("Indai", r"for 'Indai'; did you mean IN\?"),
        ("United Kingdom", r"did you mean GB\?"),
        ("IN-Karnatka", r"for 'IN-Karnatka'; did you mean IN-KA\?"),
        ("IN-ZZ", r"for 'IN-ZZ'; its subdivisions are AN, AP, .*, WB$"),
        ("VA-XX", r"for 'VA-XX'; write VA without a subdivision$"),
    ],
)
def test_an_unknown_place_is_an_error_that_lists_the_known_ones(code, message):
    with pytest.raises(ConfigurationError, match=message):
        holiday_test(code)


def test_the_holidays_library_is_loaded_on_first_use():
    script = (
        "import sys, worker.settings.public_holidays; print('holidays' in sys.modules);"
        "worker.settings.public_holidays.holiday_test('IN'); print('holidays' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
