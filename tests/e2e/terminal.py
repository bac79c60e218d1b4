# SPDX-License-Identifier: ISC
"""A program on a terminal, driven by keys and read from the screen (tmux)."""

import posthouse as ph


class Terminal:
    def __init__(self, home, *command):
        # A server of its own: the socket stands in the home.
        self.home = home
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y",
                  "40", *command)

    def tmux(self, *args, check=True):
        return ph.run(["tmux", "-S", self.home / "tmux", *args],
                      home=self.home, check=check)

    def screen(self):
        return self.tmux("capture-pane", "-p", check=False).stdout

    def wait(self, *texts, seconds=60):
        """Until one of the texts is on the screen; which."""
        def look():
            seen = self.screen()
            return next((t for t in texts if t in seen), None)
        try:
            return ph.wait_for(look, "", seconds, 0.05)
        except AssertionError:
            raise AssertionError(f"no {texts} on the screen:\n{self.screen()}")

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def key(self, *names):
        self.tmux("send-keys", *names)

    def ended(self):
        return self.tmux("has-session", check=False).returncode != 0

    def wait_end(self):
        try:
            ph.wait_for(self.ended, "")
        except AssertionError:
            raise AssertionError(f"it does not end:\n{self.screen()}")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.tmux("kill-server", check=False)
