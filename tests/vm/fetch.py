"""Debian's kernels for the tests: found through the sources that this machine is configured with, fetched by apt with
its signature checks, in a tree of its own. The machine's own lists and packages stay as they are.
"""
import fcntl
import glob
import os
import re
import shutil
import subprocess
import tempfile

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class NotToBeHad(Exception):
    """No network, no such suite, a bad signature: this kernel cannot be tested here, and now."""


def run(argv, limit, **kwargs):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=limit, stdin=subprocess.DEVNULL, **kwargs)
    except subprocess.TimeoutExpired:
        raise NotToBeHad(f"{argv[0]} took more than {limit} s") from None
    if done.returncode:
        raise NotToBeHad(f"{' '.join(argv[:4])}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def mirror():
    """The archive that the machine takes Debian itself from."""
    for line in run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN)/$(LABEL)"], 60).split("\n"):
        uri, _, who = line.partition(" ")
        if who == "Debian/Debian":
            return uri
    raise NotToBeHad("apt knows no Debian archive (apt-get update?)")


def proxy_settings():
    """What the machine's apt needs to reach it."""
    for line in run(["apt-config", "dump"], 60).split("\n"):
        if re.match(r'Acquire::https?::Proxy(::\S+)? "', line):
            yield line


def make_apt_tree(tree, suite):
    """A configuration that reads and writes nothing outside @tree; returns the environment to use it with."""
    for folder in ("etc", "state/lists/partial", "cache/archives/partial", "log"):
        os.makedirs(f"{tree}/{folder}")
    open(f"{tree}/status", "w", encoding="utf-8").close()
    with open(f"{tree}/etc/sources.list", "w", encoding="utf-8") as file:
        file.write(f"deb [arch=amd64 signed-by={KEYRING}] {mirror()} {suite} main\n")
    settings = [f'Dir::Etc "{tree}/etc";', f'Dir::Etc::sourcelist "{tree}/etc/sources.list";']
    settings += [f'Dir::Etc::{part} "/dev/null";' for part in ("sourceparts", "parts", "preferencesparts", "trustedparts")]
    settings += [f'Dir::State "{tree}/state";', f'Dir::State::status "{tree}/status";', f'Dir::Cache "{tree}/cache";',
                 f'Dir::Log "{tree}/log";', 'APT::Architecture "amd64";', 'APT::Architectures { "amd64"; };',
                 'APT::Sandbox::User "root";', 'Acquire::Languages "none";', 'Acquire::Retries "3";',
                 'Acquire::http::Timeout "20";', *proxy_settings()]
    with open(f"{tree}/apt.conf", "w", encoding="utf-8") as file:
        file.write("\n".join(settings) + "\n")
    return {**os.environ, "APT_CONFIG": f"{tree}/apt.conf"}


def dependencies(package, env):
    text = run(["apt-cache", "depends", "--no-recommends", "--no-suggests", package], 60, env=env)
    return re.findall(r"Depends: (\S+)", text)


def first(names, prefix):
    return next((name for name in names if re.match(prefix, name)), None)


def download(folder, tree, suite, meta):
    env = make_apt_tree(tree, suite)
    run(["apt-get", "-qq", "-o", "APT::Update::Error-Mode=any", "update"], 300, env=env)
    image = first(dependencies(meta, env), r"linux-image-\d")
    if not image:
        raise NotToBeHad(f"{suite} has no {meta}")
    # From 7.3 on the kernel itself is in linux-binary-*, and linux-image-* only depends on it.
    package = first(dependencies(image, env), "linux-binary-") or image
    run(["apt-get", "-qq", "download", package], 600, env=env, cwd=tree)
    deb, = glob.glob(f"{tree}/*.deb")
    os.makedirs(f"{tree}/files")
    unpack = "dpkg-deb --fsys-tarfile \"$1\" | tar -xf - -C \"$2\" --wildcards '*/vmlinuz*'"
    run(["bash", "-o", "pipefail", "-c", unpack, "unpack", deb, f"{tree}/files"], 120)
    kernel, = (path for path in glob.glob(f"{tree}/files/**/vmlinuz*", recursive=True) if os.path.isfile(path))
    with open(f"{tree}/release", "w", encoding="utf-8") as file:
        file.write(image.removeprefix("linux-image-"))
    os.makedirs(folder, exist_ok=True)
    os.replace(f"{tree}/release", f"{folder}/release")
    os.replace(kernel, f"{folder}/vmlinuz")


def kernel(cache, suite, meta):
    """Paths of the kernel and its release; from the cache, or raises NotToBeHad."""
    folder = f"{cache}/{suite}-{meta}"
    os.makedirs(cache, exist_ok=True)
    with open(f"{cache}/lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(f"{folder}/vmlinuz"):
            tree = tempfile.mkdtemp(prefix="apt-", dir=cache)
            try:
                download(folder, tree, suite, meta)
            finally:
                shutil.rmtree(tree, ignore_errors=True)
    with open(f"{folder}/release", encoding="utf-8") as file:
        return f"{folder}/vmlinuz", file.read().strip()
