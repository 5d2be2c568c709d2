# SPDX-License-Identifier: Apache-2.0
"""deploy/Dockerfile as far as it can be checked without an engine: what it copies is there, and the
packages of each image are those whose libraries its programs link."""
import glob
import re
import subprocess

import pytest
from processes import BUILD, SOURCE

# Image -> the programs in it. Each stands on `base` besides.
IMAGES = {"ackd": ["broker/daemon/ackd", "cli/ackctl"],
          "ocr": ["worker-sdk/examples/ocr/ocr", "worker-sdk/libackd.so", "cli/ackctl"]}
# Every image of Debian has these.
ALWAYS_THERE = {"libc6", "libgcc-s1", "libstdc++6", "libgomp1"}


def stages() -> dict[str, str]:
    """Stage -> its instructions, one a line."""
    text = (SOURCE / "deploy/Dockerfile").read_text().replace("\\\n", " ")
    parts = re.split(r"^FROM \S+ AS (\S+)\n", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def packages(stage: str) -> set[str]:
    lists = re.findall(r"--no-install-recommends (.*?) &&", stages()[stage])
    return set(" ".join(lists).split())


def on_debian_12() -> bool:
    return 'VERSION_ID="12"' in open("/etc/os-release").read()


def test_everything_copied_into_the_build_is_in_the_checkout():
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", stages()["build"], flags=re.M)
    for source in " ".join(copied).split():
        assert (SOURCE / source).exists(), source


def test_every_folder_that_meson_enters_is_copied():
    entered = re.findall(r"^subdir\('([^/']+)", (SOURCE / "meson.build").read_text(), flags=re.M)
    copied = " ".join(re.findall(r"^COPY (?!--from)(.*)$", stages()["build"], flags=re.M))
    for folder in entered:
        assert re.search(rf"\b{folder}\b", copied), folder


def test_the_build_has_the_packages_of_dev():
    script = (SOURCE / "dev").read_text()
    wanted = set(re.search(r'BUILD_PACKAGES="(.*?)"', script, re.S).group(1).split())
    # gcc and the C headers are all that build-essential is wanted for; meson brings python3.
    assert wanted - {"build-essential", "python3"} <= packages("build")


def test_no_image_runs_as_root():
    for image in IMAGES:
        assert re.search(r"^USER 65532:65532$", stages()[image], re.M)


@pytest.mark.skipif(not on_debian_12(), reason="the images are of Debian 12")
@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_the_packages_whose_libraries_its_programs_link(image):
    needed = {library for program in IMAGES[image] for library in linked(BUILD / program)}
    wanted = {package for library in needed for package in owners(library)} - ALWAYS_THERE
    there = packages("base") | packages(image)
    assert wanted <= there, f"missing in the image: {wanted - there}"


@pytest.mark.skipif(not on_debian_12() or not glob.glob("/var/lib/apt/lists/*_Packages*"),
                    reason="only Debian 12 with apt's lists can tell")
def test_every_package_exists():
    wanted = set().union(*map(packages, stages()))
    shown = subprocess.run(["apt-cache", "show", "--no-all-versions", *wanted],
                           capture_output=True, text=True).stdout
    assert wanted - set(re.findall(r"^Package: (\S+)", shown, flags=re.M)) == set()


def linked(program) -> list[str]:
    """The libraries that it names itself, but for our own and the sanitizers'."""
    dynamic = subprocess.run(["readelf", "-d", program], check=True, capture_output=True,
                             text=True).stdout
    return [name for name in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
            if not re.match(r"lib(ackd|[aul]b?san)\b", name)]


def owners(library: str) -> set[str]:
    """Packages that hold it for this architecture: dpkg names that after the package."""
    found = subprocess.run(["dpkg-query", "-S", f"*/{library}"], capture_output=True, text=True)
    return set(re.findall(r"^(\S+?):\w+: ", found.stdout, flags=re.M))
