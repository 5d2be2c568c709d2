# SPDX-License-Identifier: Apache-2.0
"""The library as its users find it: installed, through pkg-config, from C and C++, shared and static."""
import os
import re
import shutil
import subprocess

import pytest
from probe import publish, results
from processes import BUILD, SOURCE, wait_until

HEADERS = sorted((SOURCE / "worker-sdk/include/ackd").glob("*.h"))


def run(*command, **options) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120,
                          **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def declared() -> set[str]:
    """The functions that the headers declare as exported."""
    text = "".join(header.read_text() for header in HEADERS)
    return set(re.findall(r"ACKD_API[^;(]*?\b(ackd_\w+)\s*\(", text))


def symbols(*nm_arguments) -> set[str]:
    """The defined names, without the sanitizers' own."""
    lines = run("nm", "--defined-only", *nm_arguments).splitlines()
    return {line.split()[-1] for line in lines if " " in line and "__odr_asan" not in line}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """libackd installed as a package would; nothing of the source tree is in it."""
    root = tmp_path_factory.mktemp("prefix")
    lib, include = root / "lib", root / "include" / "ackd"
    (lib / "pkgconfig").mkdir(parents=True)
    include.mkdir(parents=True)
    for header in HEADERS:
        shutil.copy(header, include)
    for name in ("libackd.so.0.1.0", "libackd.a"):
        shutil.copy(BUILD / "worker-sdk" / name, lib)
    (lib / "libackd.so.0").symlink_to("libackd.so.0.1.0")
    (lib / "libackd.so").symlink_to("libackd.so.0")
    text = (BUILD / "meson-private/ackd.pc").read_text()
    text = re.sub(r"(?m)^prefix=.*", f"prefix={root}", text)
    text = re.sub(r"(?m)^libdir=.*", "libdir=${prefix}/lib", text)
    (lib / "pkgconfig/ackd.pc").write_text(text)
    return root


def pkg_config(prefix, *arguments) -> list[str]:
    return run("pkg-config", *arguments, "ackd",
               env={**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}).split()


def test_the_shared_library_exports_what_the_headers_declare_and_nothing_else():
    assert symbols("-D", BUILD / "worker-sdk/libackd.so") == declared()


def test_the_static_library_exports_the_same():
    assert symbols("--extern-only", BUILD / "worker-sdk/libackd.a") == declared()


def test_the_soname_is_version_zero():
    dynamic = run("readelf", "-d", BUILD / "worker-sdk/libackd.so")
    assert re.search(r"SONAME.*\[libackd\.so\.0\]", dynamic)


@pytest.mark.parametrize("compiler", [["gcc", "-std=c17", "-x", "c"], ["g++", "-std=c++17", "-x", "c++"],
                                      ["clang++", "-std=c++17", "-x", "c++"]])
@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header.name)
def test_each_header_compiles_by_itself(compiler, header):
    if not shutil.which(compiler[0]):
        pytest.skip(f"{compiler[0]} is not installed")
    run(*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
        "-I", SOURCE / "worker-sdk/include", "-", input=f"#include <ackd/{header.name}>\n")


def test_every_header_is_installed():
    meson = (SOURCE / "worker-sdk/meson.build").read_text()
    assert all(f"include/ackd/{header.name}'" in meson for header in HEADERS)


def test_every_call_of_the_contract_has_a_typed_function():
    contract = {(service, method)
                for proto in (SOURCE / "proto/ackd/v1").glob("*.proto")
                for service, body in re.findall(r"service (\w+) {(.*?)\n}", proto.read_text(), re.S)
                for method in re.findall(r"\brpc (\w+)\(", body)}
    typed = {pair for source in (SOURCE / "worker-sdk/src").glob("client_*.c")
             for pair in re.findall(r'call_run\(&call, client, "(\w+)", "(\w+)"', source.read_text())}
    assert contract and typed == contract


@pytest.mark.parametrize("how", ["shared", "static"])
def test_a_users_program_builds_through_pkg_config_and_works(prefix, broker, queue, tmp_path, how):
    """The static one has a function of its own that has the name of one inside the library."""
    if "-fsanitize" in (BUILD / "compile_commands.json").read_text():
        pytest.skip("a sanitized library needs a sanitized program")
    program = tmp_path / "smallest"
    source = tmp_path / "own.c"
    source.write_text("int buffer_append(void);\nint buffer_append(void) { return 1; }\n")
    example = SOURCE / "worker-sdk/examples/smallest.c"
    flags = pkg_config(prefix, "--cflags")
    if how == "shared":
        flags += [*pkg_config(prefix, "--libs"), f"-Wl,-rpath,{prefix / 'lib'}"]
    else:
        # Its own code is static, the libraries below it are the system's.
        below = pkg_config(prefix, "--print-requires-private")
        flags += [prefix / "lib/libackd.a", "-pthread",
                  *run("pkg-config", "--libs", *below).split(), "-lm"]
    run("gcc", "-std=c17", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", example, source,
        "-o", program, *flags)
    assert ("libackd.so" in run("ldd", program)) == (how == "shared")
    (task,) = publish(broker, "one two three")
    worker = subprocess.Popen([program, "q"], env={**os.environ, "ACKD_URL": broker.url})
    try:
        wait_until(lambda: results(broker) == {task: "3"}, "the result is there")
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait()
