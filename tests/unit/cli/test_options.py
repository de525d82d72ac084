"""Options that several commands share."""

from predsurv.cli.options import with_config


def test_a_command_that_is_to_be_typed_names_the_configuration_that_was_given() -> None:
    assert with_config("predsurv runs show", None) == "predsurv runs show"
    assert with_config("predsurv runs show", "my data/x.toml") == "predsurv runs show --config 'my data/x.toml'"
