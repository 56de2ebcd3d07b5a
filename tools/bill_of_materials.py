"""The bill of materials of a wheel, in CycloneDX's JSON: what went into it besides this project's own sources.

setup.py writes it into ``*.dist-info/sboms/`` of every wheel (PEP 770). It is written by hand because a build needs
nothing but setuptools, Cython and NumPy; tools/finish_wheel.py checks it against CycloneDX's schema.
"""

import json
import uuid
from typing import Any


def component(name: str, version: str, license_id: str, description: str) -> dict[str, Any]:
    """Describe one distribution of the Python package index."""
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "description": description,
        "licenses": [{"license": {"id": license_id}}],
        "purl": f"pkg:pypi/{name}@{version}",
    }


def bill_of_materials(version: str, cython: str, numpy: str) -> str:
    """Return the bill of losslib ``version`` built with these versions of Cython and NumPy."""
    subject = component("losslib-cpu", version, "BSD-3-Clause", "Loss functions for NumPy arrays")
    parts = [
        component("cython", cython, "Apache-2.0", "Its runtime code is compiled into every extension"),
        component("numpy", numpy, "BSD-3-Clause", "Its headers are compiled into every extension; needed to run"),
    ]
    # A serial number must differ between different bills and agree between equal ones: a build can be repeated.
    contents = " ".join(part["purl"] for part in [subject, *parts])
    return json.dumps(
        {
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, contents)}",
            "version": 1,
            "metadata": {"component": subject},
            "components": parts,
            "dependencies": [
                {"ref": subject["bom-ref"], "dependsOn": [part["bom-ref"] for part in parts]},
                *({"ref": part["bom-ref"]} for part in parts),
            ],
        },
        indent=2,
    )
