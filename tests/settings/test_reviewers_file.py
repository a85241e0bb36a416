"""The reviewers file: named by the settings or beside their file; read, or refused with a line number."""

import pytest
from support.seeds import write

from worker.errors import ConfigurationError
from worker.settings.model import load_settings, packaged_config
from worker.settings.reviewers_file import load_owners, read_owners


def test_the_file_beside_the_settings_file_is_read(tmp_path):
    write(tmp_path / "config" / "content-sync.toml", "")
    write(tmp_path / "config" / "reviewers", "\ufeff* @asha\n")
    assert load_owners(load_settings()).of("x.md", None).owners == ("@asha",)


def test_the_reviewers_file_is_optional_unless_it_is_named(tmp_path):
    assert read_owners(tmp_path / "reviewers", may_be_absent=True).of("x.md", None).owners == ()


def test_a_reviewers_file_named_in_the_settings_must_exist(tmp_path):
    write(tmp_path / "config" / "content-sync.toml", '[review]\nreviewers_file = "who"\n')
    with pytest.raises(
        ConfigurationError, match=f"the reviewers file {tmp_path}/who does not exist"
    ):
        load_owners(load_settings())
    write(tmp_path / "who", "* @ravi")
    assert load_owners(load_settings()).of("x.md", None).owners == ("@ravi",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"* @asha\n\n/a/ ravi\n", "reviewers, line 3: 'ravi' is not an owner"),
        (b"* @asha\xff", "reviewers is not UTF-8"),
    ],
)
def test_a_wrong_reviewers_file_is_refused_with_its_name(tmp_path, data, message):
    with pytest.raises(ConfigurationError, match=message):
        read_owners(write(tmp_path / "reviewers", data))


def test_a_folder_in_place_of_the_reviewers_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        read_owners(tmp_path, may_be_absent=True)


def test_the_sample_has_no_effect_while_its_lines_are_comments(tmp_path):
    sample = packaged_config() / "reviewers"
    assert read_owners(sample).of("02_nci_core/x.md", None).owners == ()
    lines = sample.read_text(encoding="utf-8").splitlines()
    examples = [line.removeprefix("# ") for line in lines if line.startswith(("# *", "# /"))]
    assert len(examples) == 6
    owners = read_owners(write(tmp_path / "reviewers", "\n".join(examples)))
    assert owners.of("02_nci_core/x.md", None).owners == ("@asha",)
