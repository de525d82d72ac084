"""What a build cannot read from pyproject.toml: the description for a package index, and a wheel for any platform."""

import os
import re
from pathlib import Path
from typing import Any

import setuptools

_LINK_INTO_THE_SOURCES = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")
_PICTURE_OF_THE_SOURCES = re.compile(r"!\[[^\]]*\]\((?!https?:)[^)]+\)\n\n")


def description() -> str:
    """Return the README without its pictures; links into the sources, dead on an index, tell the place in the sdist."""
    text = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    text = _PICTURE_OF_THE_SOURCES.sub("", text)
    return _LINK_INTO_THE_SOURCES.sub(lambda found: _named(found[1], found[2]), text)


def _named(text: str, path: str) -> str:
    return f"`{path}`" if text.strip("`") == path else f"{text} (`{path}`)"


class AnyPlatform(setuptools.Distribution):
    """Leaves the compiled twins out, so that the wheel installs everywhere (``py3-none-any``)."""

    def parse_config_files(self, *args: Any, **options: Any) -> None:
        """Read pyproject.toml, then forget its extension."""
        super().parse_config_files(*args, **options)
        self.ext_modules = None


setuptools.setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    distclass=AnyPlatform if os.environ.get("PREDSURV_PURE_WHEEL") else setuptools.Distribution,
)
