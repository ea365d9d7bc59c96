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
# Its check takes an answer whose whole data is null for a defect of the server. It is the right answer of these to a
# password or token that is made up, and of those to somebody without a server key; what else they answer is judged here, as
# everything is.
REFUSES = {
    "Mutation.signIn", "Mutation.refreshSession",
    "Mutation.upsertUsers", "Mutation.issueToken", "Mutation.revokeTokens", "Query.userByExternalId",
}
# What only the inside has words for: of the database, of Rust, of the source.
INSIDE = re.compile(r"sqlx|sqlite|sea.?orm|panicked|stack backtrace|SELECT .* FROM|src/|\.rs:\d|UNIQUE constraint", re.IGNORECASE)


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
            run = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=SECONDS + 120)
            found = set(re.findall(r"^_+ (\w+\.\w+) _+$", run.stdout, re.MULTILINE))
            self.assertEqual(run.returncode, 1 if found else 0, run.stdout + run.stderr)
            self.assertLessEqual(found, REFUSES, run.stdout)
            entries = json.loads(report.read_text())["log"]["entries"]
            bad = []
            for entry in entries:
                status, text = entry["response"]["status"], entry["response"]["content"].get("text", "")
                if not 200 <= status < 500 or '"code":"INTERNAL_SERVER_ERROR"' in text or INSIDE.search(text):
                    bad.append((status, text, entry["request"].get("postData", {}).get("text")))
            self.assertEqual(bad, [])
            self.assertGreater(len(entries), SECONDS / 10, "hardly anything was sent")
            self.assertNotRegex(server.written(), r"\bERROR\b|panicked")
            refused = f", but for what {' and '.join(sorted(found))} refuse" if found else ""
            print(f"{len(entries)} requests in {SECONDS} s")
            printed = f"no defect{refused}; no 5xx, no word from inside"
            write_suite(70, "schemathesis", version("schemathesis"), printed)


if __name__ == "__main__":
    unittest.main()
