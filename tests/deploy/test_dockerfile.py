# SPDX-License-Identifier: Apache-2.0
"""deploy/Dockerfile as far as it can be checked without an engine: what it copies is there, it builds
with the packages of ./dev, and roots as deploy/image/root.sh makes them run the programs of this
build. The images themselves are in test_image.py."""
import glob
import json
import os
import re
import shutil
import subprocess

import pytest
from processes import BUILD, SOURCE

# Image -> the programs in it.
IMAGES = {"ackd": ["usr/bin/ackd", "usr/bin/ackctl"],
          "worker": ["usr/lib/libackd.so.0", "usr/bin/ackctl"],
          "ocr": ["usr/bin/ocr"]}
# Where `meson install` puts them, and where they are before.
INSTALLED = {"usr/bin/ackd": "broker/daemon/ackd", "usr/bin/ackctl": "cli/ackctl",
             "usr/lib/libackd.so.0": "worker-sdk/libackd.so.0",
             "usr/bin/ocr": "worker-sdk/examples/ocr/ocr"}


def stages() -> dict[str, tuple[str, str]]:
    """Stage -> what it stands on, and its instructions, one a line."""
    text = (SOURCE / "deploy/Dockerfile").read_text().replace("\\\n", " ")
    parts = re.split(r"^FROM (\S+) AS (\S+)\n", text, flags=re.M)
    return dict(zip(parts[2::3], zip(parts[1::3], parts[3::3])))


def packages(stage: str) -> set[str]:
    """With those of the stages below it."""
    if stage not in stages():
        return set()
    below, text = stages()[stage]
    lists = re.findall(r"--no-install-recommends (.*?) &&", text)
    return set(" ".join(lists).split()) | packages(below)


def on_debian_12() -> bool:
    return 'VERSION_ID="12"' in open("/etc/os-release").read()


def test_everything_copied_into_the_build_is_in_the_checkout():
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", stages()["build"][1], flags=re.M)
    for source in " ".join(copied).split():
        assert (SOURCE / source).exists(), source


def test_every_folder_that_meson_enters_is_copied():
    entered = re.findall(r"^subdir\('([^/']+)", (SOURCE / "meson.build").read_text(), flags=re.M)
    copied = " ".join(re.findall(r"^COPY (?!--from)(.*)$", stages()["build"][1], flags=re.M))
    for folder in entered:
        assert re.search(rf"\b{folder}\b", copied), folder


def test_the_build_has_the_packages_of_dev():
    script = (SOURCE / "dev").read_text()
    wanted = set(re.search(r'BUILD_PACKAGES="(.*?)"', script, re.S).group(1).split())
    # gcc and the C headers are all that build-essential is wanted for; meson brings python3.
    assert wanted - {"build-essential", "python3"} <= packages("build")


def test_no_image_that_runs_has_anything_below_it_or_runs_as_root():
    for image in IMAGES:
        below, text = stages()[image]
        assert below == "scratch"
        assert re.search(r"^USER 65532:65532$", text, re.M)


def test_the_brokers_image_lets_nobody_in_who_was_not_asked_for():
    command = re.search(r"^CMD (\[.*\])$", stages()["ackd"][1], re.M).group(1)
    assert json.loads(command) == ["--data-dir", "/var/lib/ackd"]


def test_each_image_has_its_programs():
    for image, programs in IMAGES.items():
        made = re.search(rf"\$root /roots/{image} (.*?)\s*(?:&&|\n)", stages()["build"][1])
        assert [each for each in made.group(1).split() if each.startswith("usr/")] == programs


@pytest.mark.skipif(not on_debian_12() or not glob.glob("/var/lib/apt/lists/*_Packages*"),
                    reason="only Debian 12 with apt's lists can tell")
def test_every_package_exists():
    wanted = set().union(*map(packages, stages()))
    shown = subprocess.run(["apt-cache", "show", "--no-all-versions", *wanted],
                           capture_output=True, text=True).stdout
    assert wanted - set(re.findall(r"^Package: (\S+)", shown, flags=re.M)) == set()


# The smallest roots

@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The programs as they lie after `meson install`."""
    out = tmp_path_factory.mktemp("out")
    for place, program in INSTALLED.items():
        (out / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(BUILD / program, out / place)
    library = out / "usr/lib/libackd.so.0"
    library.rename(out / "usr/lib/libackd.so.0.1.0")
    library.symlink_to("libackd.so.0.1.0")
    return out


def make_root(installed, root, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([SOURCE / "deploy/image/root.sh", installed, root, *arguments],
                          capture_output=True, text=True)


def run_in(root, *command: str) -> subprocess.CompletedProcess:
    """Nothing outside the root can be reached."""
    enter = (["/usr/sbin/chroot", "--userspec=65532:65532"] if os.geteuid() == 0
             else ["unshare", "--map-root-user", "/usr/sbin/chroot"])
    return subprocess.run([*enter, root, *command], env={}, capture_output=True, text=True)


needs_dpkg = pytest.mark.skipif(
    not shutil.which("dpkg-query") or os.environ.get("ACKD_SANITIZE", "none") != "none",
    reason="only on Debian, and of a build without sanitizers, is there a root to be made")


@needs_dpkg
@pytest.mark.parametrize("image", IMAGES)
def test_a_root_runs_its_programs_and_has_no_other(image, installed, tmp_path):
    made = make_root(installed, tmp_path / "root", *IMAGES[image])
    assert made.returncode == 0, made.stderr
    for program in IMAGES[image]:
        if program.startswith("usr/bin/"):
            ran = run_in(tmp_path / "root", f"/{program}", "--help")
            assert (ran.returncode, ran.stderr) == (0, "")
            assert "sage: " in ran.stdout
    files = [each for each in (tmp_path / "root").rglob("*") if not each.is_dir()]
    assert {str(each.relative_to(tmp_path / "root")) for each in files
            if os.access(each, os.X_OK) and ".so" not in each.name} == {
                each for each in IMAGES[image] if each.startswith("usr/bin/")}
    assert [each for each in files if each.is_symlink() and not each.exists()] == []


@needs_dpkg
def test_a_root_says_which_packages_it_has_and_under_which_licences(installed, tmp_path):
    assert make_root(installed, tmp_path, "usr/bin/ackd").returncode == 0
    known = {each.name for each in (tmp_path / "var/lib/dpkg/status.d").iterdir()}
    assert {"libc6", "liblmdb0", "libuv1", "ca-certificates"} <= known
    for package in known:
        assert (tmp_path / "usr/share/doc" / package / "copyright").stat().st_size > 0
        status = (tmp_path / "var/lib/dpkg/status.d" / package).read_text()
        assert re.search(r"^Version: \S", status, re.M)


@needs_dpkg
def test_a_root_that_would_lack_a_library_is_not_made(installed, tmp_path):
    (tmp_path / "out/usr/bin").mkdir(parents=True)
    shutil.copy(installed / "usr/bin/ocr", tmp_path / "out/usr/bin/ocr")
    made = make_root(tmp_path / "out", tmp_path / "root", "usr/bin/ocr")
    assert made.returncode == 1
    assert "libackd.so.0 => not found" in made.stderr
