"""The script that a competent colleague writes in an hour: pandas in, a loop of requests, pandas out.

python -m tests.bench.naive FILE URL RESULT
"""

import json
import re
import sys
from typing import Any

import pandas as pd
import requests

from tests.bench.stages import Stages, peak

_CODE = re.compile(r"[A-Z]{2}[0-9]{8}")


def problem(row: Any) -> str:
    """What is wrong with a row, "" if nothing is."""
    if not _CODE.fullmatch(row["code"]):
        return "code"
    if not row["name"] or len(row["name"]) > 40:
        return "name"
    if row["kind"] not in ("PHONE", "STAFF", "TRUNK"):
        return "kind"
    if "@" not in row["email"]:
        return "email"
    return ""


def body(row: Any) -> dict[str, Any]:
    """What a row becomes."""
    return {
        **{name: row[name] for name in ("code", "name", "kind", "email", "phone", "city", "department", "note")},
        "priority": int(row["priority"]),
        "weight": float(row["weight"]),
        "active": row["active"] == "TRUE",
        "tags": [tag.strip() for tag in row["tags"].split(",")],
    }


def main(file: str, url: str, result: str) -> None:
    """Import the file, and print what each stage took as JSON."""
    stages = Stages()
    stages.begin("reading")
    if file.endswith(".csv"):
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    else:
        frame = pd.read_excel(file, engine="openpyxl", dtype=str, keep_default_na=False)
    stages.begin("checking")
    frame["problem"] = frame.apply(problem, axis=1)
    stages.begin("sending")
    ids, errors = [], []
    with requests.Session() as session:
        for _, row in frame.iterrows():
            if row["problem"]:
                ids.append("")
                errors.append(row["problem"])
                continue
            answer = session.post(f"{url}/things", json=body(row), timeout=60)
            ids.append(answer.json().get("id", "") if answer.ok else "")
            errors.append("" if answer.ok else answer.text)
    stages.begin("writing")
    frame["id"], frame["error"] = ids, errors
    frame.to_excel(result, index=False)
    print(json.dumps({"stages": stages.ended(), "counts": {"created": sum(map(bool, ids))}, "peak": peak()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
