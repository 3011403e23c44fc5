#!/usr/bin/env python3
"""Prints the bill of materials of the executable: every crate that Cargo.lock pins for it, as CycloneDX 1.5 JSON.

    python3 ops/sbom.py > counterfoil.cdx.json

The same lock file gives the same bytes: no time and no random number is in it. Crates that are used to build or to test
only are left out.
"""

import hashlib
import json
import subprocess
import sys
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = "counterfoil"


def metadata():
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        sys.exit(asked.stderr)
    return json.loads(asked.stdout)


def checksums():
    """Of what the registry serves, by name and version."""
    found, name, version = {}, None, None
    for line in (ROOT / "Cargo.lock").read_text().splitlines():
        key, _, value = line.partition(" = ")
        value = value.strip('"')
        if key == "name":
            name = value
        elif key == "version":
            version = value
        elif key == "checksum":
            found[name, version] = value
    return found


def reached(nodes, root):
    """What gets into the executable: everything that is neither for builds nor for tests."""
    todo, seen = [root], {root}
    while todo:
        for dependency in nodes[todo.pop()]["deps"]:
            is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if is_linked and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                todo.append(dependency["pkg"])
    return seen


def main():
    found = metadata()
    packages = {package["id"]: package for package in found["packages"]}
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    root = next(id for id, package in packages.items() if package["name"] == PRODUCT)
    linked, sums = reached(nodes, root), checksums()
    proc_macros = {
        id for id in linked if any("proc-macro" in target["kind"] for target in packages[id]["targets"])
    }

    def purl(package):
        return f"pkg:cargo/{package['name']}@{package['version']}"

    def component(package, kind):
        made = {
            "type": kind, "bom-ref": purl(package), "name": package["name"], "version": package["version"],
            "purl": purl(package),
        }
        if package["license"]:
            made["licenses"] = [{"expression": package["license"].replace(" / ", " OR ").replace("/", " OR ")}]
        if checksum := sums.get((package["name"], package["version"])):
            made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        if package["repository"]:
            made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
        return made

    kept = sorted(linked - proc_macros - {root}, key=lambda id: (packages[id]["name"], packages[id]["version"]))
    known = set(kept) | {root}
    lock = hashlib.sha256((ROOT / "Cargo.lock").read_bytes()).digest()
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=lock[:16], version=4)}",
        "version": 1,
        "metadata": {"component": component(packages[root], "application")},
        "components": [component(packages[id], "library") for id in kept],
        "dependencies": [
            {
                "ref": purl(packages[id]),
                "dependsOn": sorted({purl(packages[d["pkg"]]) for d in nodes[id]["deps"] if d["pkg"] in known}),
            }
            for id in [root, *kept]
        ],
    }
    json.dump(bill, sys.stdout, indent=2, sort_keys=True)
    print()


if __name__ == "__main__":
    main()
