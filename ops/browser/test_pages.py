"""The pages in Chromium: flows with and without JavaScript, accessibility, keyboard, live updates, screenshots."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from administration import Account, Workers  # noqa: E402, F401
from backups import Backups  # noqa: E402, F401
from continuing import Continuing  # noqa: E402, F401
from flows import Flow, Keyboard, Live  # noqa: E402, F401
from look import Accessibility, Screenshots  # noqa: E402, F401
from notifications import Notifications  # noqa: E402, F401
from review import Review  # noqa: E402, F401
from world import world  # noqa: E402


if __name__ == "__main__":
    asked = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    try:
        world.start()
        program = unittest.main(module="__main__", argv=[sys.argv[0], *asked], verbosity=2, exit=False)
    finally:
        world.stop()
    result = program.result
    failed = len(result.failures) + len(result.errors)
    print(f"browser: {result.testsRun - failed - len(result.skipped)} passed, {failed} failed, {len(result.skipped)} skipped")
    sys.exit(1 if failed else 0)
