"""Chromium or Chrome, driven over its own protocol through a pipe: no driver, no package, no network."""

import json
import os
import select
import shutil
import subprocess
import sys
from contextlib import contextmanager

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--mute-audio",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # nothing outside can be reached
    "--remote-debugging-pipe",
]
KEYS = {"Enter": 13, "Escape": 27, "End": 35, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
SILENCE = 60  # s after which a browser is taken for dead
# becomes the browser, which reads commands from file 3 and answers on file 4
LAUNCH = """
import fcntl, os, sys
hears, says = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(hears, 3), os.dup2(says, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """One page of a browser. requests: every address it asked for; complaints: errors in its console."""

    def __init__(self, commands, answers):
        self._commands, self._answers, self._heard = commands, answers, b""
        self._session, self._sent = None, 0
        self.requests, self.complaints = [], []

    def tell(self, method, **parameters):
        """The result of one command of the protocol."""
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._hear()).get("id") != self._sent:
            pass
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _hear(self):
        while b"\0" not in self._heard:
            ready, _, _ = select.select([self._answers], [], [], SILENCE)
            more = os.read(self._answers, 1 << 16) if ready else b""
            assert more, f"the browser has ended, or said nothing for {SILENCE} s"
            self._heard += more
        message, _, self._heard = self._heard.partition(b"\0")
        heard = json.loads(message)
        happened, about = heard.get("method"), heard.get("params", {})
        if happened == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        if happened == "Runtime.exceptionThrown" or about.get("type") == "error":
            self.complaints.append(about)
        if happened == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.complaints.append(about)
        return heard

    def outside(self, folder):
        """Addresses asked for that lie neither in `folder` nor in the page itself."""
        return [url for url in self.requests if not url.startswith((folder, "data:", "about:blank"))]

    def run(self, script):
        """The value of a JavaScript expression, awaited; raises AssertionError if it throws."""
        done = self.tell("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, condition, seconds=10):
        """Wait until a JavaScript expression is true."""
        loop = f"""(async () => {{
            const end = performance.now() + {1000 * seconds};
            while (!({condition})) {{
                if (performance.now() > end) throw new Error("never true");
                await new Promise((then) => setTimeout(then, 20));
            }}
        }})()"""
        self.run(loop)

    def open(self, address, width=1200, height=900, dark=False):
        """Open an address in a new window of that size; requests and complaints are those of this window."""
        self._session = None
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.tell(f"{domain}.enable")
        self.requests, self.complaints = [], []
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.tell("Emulation.setEmulatedMedia", features=[scheme])
        self.tell("Page.navigate", url=address)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def press(self, *keys):
        """Press keys, one after the other: names like ArrowDown, or characters."""
        for key in keys:
            text = "\r" if key == "Enter" else key if len(key) == 1 else ""
            code = KEYS.get(key) or (ord(key.upper()) if key.isalnum() else 0)
            told = {"key": key, "windowsVirtualKeyCode": code}
            self.tell("Input.dispatchKeyEvent", type="keyDown", text=text, **told)
            self.tell("Input.dispatchKeyEvent", type="keyUp", **told)

    def click(self, selector):
        """Click with the mouse in the middle of the first element that `selector` finds."""
        box = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{box}.scrollIntoView({{block: 'center'}})")
        at = self.run(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({box}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.tell("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", clickCount=1)


@contextmanager
def opened(folder):
    """A Page of a browser that keeps its files in `folder` and ends with the block."""
    hears, commands = os.pipe()
    answers, says = os.pipe()
    command = [sys.executable, "-c", LAUNCH, str(hears), str(says), BROWSER, *FLAGS, f"--user-data-dir={folder}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, pass_fds=(hears, says), **quiet) as process:
        os.close(hears), os.close(says)
        try:
            yield Page(commands, answers)
        finally:
            process.terminate()
            os.close(commands), os.close(answers)
