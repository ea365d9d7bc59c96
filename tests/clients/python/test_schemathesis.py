"""schemathesis against a running Parlor: no 5xx, no hang, no word from inside. `SUITES_FULL=1`: for two minutes."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from importlib.metadata import version
from pathlib import Path

from parlor import Parlor, write_suite

SECONDS = 120 if os.environ.get("SUITES_FULL") == "1" else 25
# These would end the session by which everything else is asked.
LEFT_OUT = ["Mutation.signOut", "Mutation.deleteAccount"]
# Its check takes an answer whose whole data is null for a defect of the server, unless the code is one of its own list
# (BAD_USER_INPUT and those of the document). These are right answers too, to what it makes up: a password, a token or a
# key, an id of nothing, a name that is taken, too much of it in its time. Which of them a field answers within the time
# of a run depends on how far it gets, so that it is asked that there is no other.
REFUSED_RIGHTLY = {"BAD_USER_INPUT", "UNAUTHENTICATED", "FORBIDDEN", "NOT_FOUND", "CONFLICT", "RATE_LIMITED"}
# What only the inside has words for: of the database, of Rust, of the source.
INSIDE = re.compile(r"sqlx|sqlite|sea.?orm|panicked|stack backtrace|SELECT .* FROM|src/|\.rs:\d|UNIQUE constraint", re.IGNORECASE)


def codes_without_data(answers):
    """The codes of the errors by the field that they are of, in all answers without any data."""
    codes = {}
    for text in answers:
        try:
            answer = json.loads(text)
        except ValueError:
            continue
        if isinstance(answer, dict) and not any((answer.get("data") or {}).values()):
            for error in answer.get("errors") or []:
                for field in (error.get("path") or [])[:1]:
                    codes.setdefault(field, set()).add(error.get("extensions", {}).get("code"))
    return codes


class Schemathesis(unittest.TestCase):
    def test_nothing_that_it_makes_up_is_a_defect(self):
        with Parlor() as server, tempfile.TemporaryDirectory(prefix="parlor-schemathesis-") as directory:
            report = Path(directory) / "report.har"
            token = server.sign_up("ann")["accessToken"]
            command = [
                str(Path(sys.executable).with_name("schemathesis")), "run", server.url,
                "--header", f"Authorization: Bearer {token}",
                "--checks", "not_a_server_error", "--continue-on-failure", "--max-response-time", "10",
                "--seed", "1", "--generation-deterministic", "--max-time", str(SECONDS),
                "--suppress-health-check", "all", "--warnings", "off", "--no-color", "--report-har-path", str(report),
                *(argument for name in LEFT_OUT for argument in ("--exclude-name", name)),
            ]
            scalars = {"SCHEMATHESIS_HOOKS": "schemathesis_scalars", "PYTHONPATH": str(Path(__file__).parent)}
            run = subprocess.run(
                command, cwd=directory, env={**os.environ, **scalars}, capture_output=True, text=True, timeout=SECONDS + 120
            )
            found = set(re.findall(r"^_+ (\w+\.\w+) _+$", run.stdout, re.MULTILINE))
            self.assertEqual(run.returncode, 1 if found else 0, run.stdout + run.stderr)
            entries = json.loads(report.read_text())["log"]["entries"]
            refused_for = codes_without_data(entry["response"]["content"].get("text", "") for entry in entries)
            for name in found:
                codes = refused_for.get(name.split(".")[1], set())
                self.assertTrue(codes and codes <= REFUSED_RIGHTLY, f"{name}: {codes}\n{run.stdout}")
            bad = []
            for entry in entries:
                status, text = entry["response"]["status"], entry["response"]["content"].get("text", "")
                if not 200 <= status < 500 or '"code":"INTERNAL_SERVER_ERROR"' in text or INSIDE.search(text):
                    bad.append((status, text, entry["request"].get("postData", {}).get("text")))
            self.assertEqual(bad, [])
            self.assertGreater(len(entries), SECONDS / 10, "hardly anything was sent")
            self.assertNotRegex(server.written(), r"\bERROR\b|panicked")
            print(f"{len(entries)} requests in {SECONDS} s")
            printed = "no defect: what is made up is refused as the caller's mistake; no 5xx, no word from inside"
            write_suite(70, "schemathesis", version("schemathesis"), printed)


if __name__ == "__main__":
    unittest.main()
