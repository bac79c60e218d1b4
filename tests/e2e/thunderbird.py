# SPDX-License-Identifier: ISC
"""Thunderbird without a screen, in a private root, driven from its inside:
Marionette (its own remote control) runs our JavaScript among its own."""

import json
import socket

import peer
import posthouse as ph

PREFERENCES = {
    "app.donation.eoy.version.viewed": 999,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "",
    "toolkit.telemetry.enabled": False,
}


class Thunderbird:
    def __init__(self, directory):
        self.home = directory / "thunderbird"
        profile = self.home / "profile"
        profile.mkdir(parents=True)
        port, = ph.free_ports(1)
        (profile / "user.js").write_text("".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in {**PREFERENCES,
                                "marionette.port": port}.items()))
        peer.make("thunderbird", "thunderbird")
        self.server = peer.Server(
            "thunderbird", "/usr/bin/thunderbird", "--headless",
            "--no-remote", "--marionette", "--remote-allow-system-access",
            "--profile", profile, binds=[self.home], said=self.home / "out",
            home=self.home)
        self.serial = 0
        try:
            self.socket = ph.wait_for(lambda: self.connect(port),
                                      "Thunderbird", 60)
            self.file = self.socket.makefile("rb")
            self.receive()
            self.command("WebDriver:NewSession")
            self.command("WebDriver:SetTimeouts", script=40000)
            self.command("Marionette:SetContext", value="chrome")
        except BaseException:
            self.server.stop()
            raise

    def connect(self, port):
        assert not self.server.ended(), self.said()
        try:
            return socket.create_connection(("127.0.0.1", port), 60)
        except OSError:
            return None

    def said(self):
        return (self.home / "out").read_text(errors="replace")[-3000:]

    def receive(self):
        length = b""
        while not length.endswith(b":"):
            byte = self.file.read(1)
            assert byte, f"Thunderbird is gone: {self.said()}"
            length += byte
        return json.loads(self.file.read(int(length[:-1])))

    def command(self, name, **parameters):
        self.serial += 1
        text = json.dumps([0, self.serial, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        _, serial, error, value = self.receive()
        assert serial == self.serial and not error, (name, error)
        return value

    def run(self, body, *arguments):
        """The value of an async function's body, which has `args`."""
        answer = self.command(
            "WebDriver:ExecuteAsyncScript", sandbox="system",
            newSandbox=False, args=list(arguments), script=f"""
            const args = [...arguments], done = args.pop();
            (async () => {{ {body} }})().then(
                value => done({{ value: value ?? null }}),
                error => done({{ error: [error, error.stack,
                    ...Cc["@mozilla.org/consoleAPI-storage;1"].getService(
                        Ci.nsIConsoleAPIStorage).getEvents().slice(-20)
                        .map(e => e.arguments.join(" "))].join("\\n") }}));
            """)["value"]
        assert "error" not in answer, answer["error"]
        return answer["value"]

