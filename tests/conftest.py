# SPDX-License-Identifier: ISC
"""Fixtures of the tests in pytest: e2e, jail, crash and abuse."""

import itertools
import os
import pathlib
import shutil
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "e2e"))
import dovecot as dovecot_peer  # noqa: E402
import posthouse  # noqa: E402
import zone  # noqa: E402

USERS = {"alice": "alice-secret", "bob": "bob-secret"}
_serial = itertools.count()


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "dev: also run with the sanitizer build")


def _directory(name):
    """On the disk of the build, not in a /tmp that may be memory; below a
    directory only root can pass, as a clone may be."""
    top = posthouse.ROOT / "build" / "tests"
    top.mkdir(parents=True, exist_ok=True)
    top.chmod(0o700)
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
    d = top / f"{safe[:40]}.{os.getpid()}.{next(_serial)}"
    d.mkdir()
    return d


def _finish(instance, failed):
    """Stop an instance; complain about what its logs say."""
    problem = None
    try:
        instance.stop()
    except AssertionError as e:
        problem = str(e)
    alarms = instance.alarms()
    instance.free()
    if failed or problem or alarms:
        print(f"\nkept: {instance.dir}")
    else:
        shutil.rmtree(instance.dir, ignore_errors=True)
    assert not alarms, "\n".join(alarms[:20]) + f"\nkept: {instance.dir}"
    assert not problem, f"{problem}\nkept: {instance.dir}"


def _need_build():
    master = posthouse.BIN / "master"
    assert master.exists(), f"{master} is not built"
    assert os.geteuid() == 0, "the tests need root"


def _maker(request, name):
    """make(**overrides) and what ends all that it made."""
    _need_build()
    failed = request.session.testsfailed
    made = []

    def make(start=True, users=None, master="master", args=(), **overrides):
        i = posthouse.Instance(_directory(name),
                               USERS if users is None else users,
                               overrides, master, args)
        made.append(i)
        if start:
            i.start()
        return i

    def finish():
        errors = []
        call_failed = getattr(request.node, "call_failed", False)
        for i in made:
            try:
                _finish(i, call_failed or
                        request.session.testsfailed != failed)
            except AssertionError as e:
                errors.append(str(e))
        assert not errors, "\n".join(errors)

    return make, finish


@pytest.fixture
def make_instance(request):
    """make_instance(**overrides): instances with main.cf parameters of their
    own; start=False, master=, args= and users= as posthouse.Instance."""
    make, finish = _maker(request, request.node.name)
    yield make
    finish()


@pytest.fixture(scope="module")
def make_module_instance(request):
    """The same for the tests of one file."""
    make, finish = _maker(request, request.module.__name__)
    yield make
    finish()


@pytest.fixture(scope="module")
def instance(make_module_instance):
    """A running instance with alice and bob, for the tests of one file."""
    return make_module_instance()


@pytest.fixture(scope="module")
def dovecot(request):
    """A Dovecot to compare with, for the tests of one file."""
    d = dovecot_peer.Dovecot(_directory("dovecot"))
    yield d
    d.stop()
    if not request.session.testsfailed:
        shutil.rmtree(d.work.parent, ignore_errors=True)


@pytest.fixture
def make_nsd(request):
    """make_nsd({zone: text}, signed=()): a running zone.Nsd."""
    made = []

    def make(zones, **kw):
        made.append(zone.Nsd(_directory("nsd"), zones, **kw))
        return made[-1].start()

    yield make
    for nsd in made:
        nsd.stop()
        if not getattr(request.node, "call_failed", False):
            shutil.rmtree(nsd.dir, ignore_errors=True)


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"POSTHOUSE_SEED={posthouse.SEED}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    item.began = time.time()
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Who reads the report may not have the machine: it has the logs' ends."""
    report = (yield).get_result()
    if report.when == "call":
        item.call_failed = report.failed
    if report.failed:
        report.sections += posthouse.testimony(item.began)
