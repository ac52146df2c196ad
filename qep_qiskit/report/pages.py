"""What all HTML pages share: style sheet, templates that escape every text, and pictures inside of the page."""

from __future__ import annotations

import base64

import jinja2


def page_environment(package: str, folder: str) -> jinja2.Environment:
    """Return the environment of the templates in a folder of a package; `page.css` is there in all of them."""
    places = [jinja2.PackageLoader(package, folder), jinja2.PackageLoader("qep_qiskit", "report")]
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(places),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def data_uri(picture: bytes, kind: str) -> str:
    """Return a picture as an address that holds it.

    Args:
        picture: Content of its file.
        kind: "png" or "svg".
    """
    media = {"png": "image/png", "svg": "image/svg+xml"}[kind]
    return f"data:{media};base64,{base64.b64encode(picture).decode()}"
