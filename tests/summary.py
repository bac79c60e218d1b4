#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""summary.py FAILURES FILE...: one line for all JUnit files, with FAILURES
added; exit status 1 if anything failed or nothing passed."""

import sys
import xml.etree.ElementTree as tree


def main():
    passed = skipped = 0
    failed = int(sys.argv[1])
    for name in sys.argv[2:]:
        try:
            cases = list(tree.parse(name).iter("testcase"))
        except (OSError, tree.ParseError) as e:
            print(f"{name}: {e}")
            failed += 1
            continue
        for case in cases:
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                failed += 1
            elif "skipped" in kinds:
                skipped += 1
            else:
                passed += 1
        if not cases:
            print(f"{name}: no tests")
            failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
