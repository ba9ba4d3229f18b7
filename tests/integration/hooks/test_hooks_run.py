"""Hooks in commands: asked about on a terminal, run there as approved, and what becomes of the worktree."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.commands import Cli
from tests.integration.daemons import program
from tests.integration.git.tree import Tree
from zdriver.hooks.model import FILE
from zdriver.testing import Home, Terminal, processes, until


class Repo:
    """`app`, in which commands are given."""

    def __init__(self, home: Home, cli: Cli) -> None:
        self.home = home
        self.cli = cli
        (home.path / ".gitconfig").write_text(
            "[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = main\n"
        )
        self.tree = Tree(home.path / "app")
        self.tree.path.mkdir()
        self.tree.git("init", "-q")
        self.tree.commit("README", "one\n")

    def hooks(self, **hooks: str | list[str]) -> None:
        """`.zdriver.toml`, committed; `_` stands for `-` in a hook's name."""
        lines = [f"{name.replace('_', '-')} = {json.dumps(text)}\n" for name, text in hooks.items()]
        self.tree.commit(FILE, "ports = ['WEB_PORT']\n[hooks]\n" + "".join(lines))

    def __call__(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.cli(*words, cwd=self.tree.path, **more)

    def done(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = self(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def terminal(self, *words: str, **env: str) -> Terminal:
        """The command on a terminal; its exit code is shown when it has ended."""
        script = 'trap : INT; "$@"; echo "code=$?"; read -r _'
        argv = ["/bin/bash", "-c", script, "bash", *program(), *words]
        return Terminal(argv, env={**self.home.env, **env}, cwd=self.tree.path)

    def approve(self, name: str = "") -> None:
        self.done("worktree", "hooks", "approve", *([name] if name else []), "--yes")

    def path(self, name: str) -> Path:
        return self.home.path / "app.worktrees" / name

    def names(self) -> list[str]:
        listed = self.cli.data("worktree", "list", cwd=self.tree.path)
        return [line["worktree"]["name"] for line in listed]


@pytest.fixture
def repo(home: Home, cli: Cli) -> Repo:
    return Repo(home, cli)


def test_without_a_terminal_what_is_not_approved_is_left_out_and_said(repo: Repo) -> None:
    repo.hooks(post_create="touch made", pre_remove="touch ../torn", post_remove="touch ../after")
    done = repo.done("feat", "x")
    assert "! the hook post-create of feat-x was left out: it is not approved" in done.stderr
    assert "zdriver worktree hooks approve feat-x" in done.stderr
    assert done.stdout == f"{repo.path('feat-x')}\n"
    assert not (repo.path("feat-x") / "made").exists()
    done = repo.done("feat", "y", "--json")
    assert json.loads(done.stdout)["ok"]  # one envelope, and the warning beside it
    assert "was left out" in done.stderr
    done = repo.done("remove", "feat-x")
    assert done.stderr.count("was left out") == 2
    assert not list(repo.path("").glob("torn"))
    assert repo("feat", "z", "--no-hooks").stderr.count("hook") == 0


def test_approved_it_runs_in_the_worktree_with_its_environment(repo: Repo) -> None:
    repo.hooks(
        post_create=["pwd; echo $ZDRIVER_WORKTREE; echo port $WEB_PORT", "cat; test ! -t 1 && touch made"],
        pre_remove="pwd > ../torn",
        post_remove="pwd > app-after; echo $ZDRIVER_WORKTREE_PATH $WEB_PORT >> app-after",
    )
    repo.approve()
    done = repo("feat", "x", stdin="not for the hook\n")
    assert done.returncode == 0, done.stderr
    path = repo.path("feat-x")
    assert done.stdout == f"{path}\n"  # all that the hook prints is beside it
    env = dict(line.split("=", 1) for line in repo.done("worktree", "env", "feat-x").stdout.splitlines())
    port = env.get("WEB_PORT", env.get("export WEB_PORT", "")).strip("'\"")
    assert port.isdigit()
    assert f"{path}\nfeat-x\nport {port}\n" in done.stderr
    assert "not for the hook" not in done.stderr
    assert (path / "made").exists()
    (path / "made").unlink()
    repo.done("remove", "feat-x")
    assert (repo.path("") / "torn").read_text() == f"{path}\n"
    assert (repo.tree.path / "app-after").read_text() == f"{repo.tree.path}\n{path} {port}\n"


def test_a_worktree_that_is_there_already_runs_nothing(repo: Repo) -> None:
    repo.hooks(post_create="echo once >> ../ran")
    repo.approve()
    repo.done("feat", "x")
    repo.done("feat", "x")
    assert (repo.path("") / "ran").read_text() == "once\n"
    repo.done("worktree", "hooks", "run", "post-create", "feat-x")
    assert (repo.path("") / "ran").read_text() == "once\nonce\n"


def test_a_hook_that_fails_is_said_and_the_worktree_is_kept(repo: Repo) -> None:
    repo.hooks(post_create=["echo begun", "exit 7", "touch later"], pre_remove="exit 8", post_remove="exit 9")
    repo.approve()
    done = repo("feat", "x", "--exec", "touch ../executed")
    assert done.returncode == 1
    assert "begun\n" in done.stderr
    assert "! the hook post-create of feat-x failed with exit code 7: exit 7" in done.stderr
    assert "again: zdriver worktree hooks run post-create feat-x" in done.stderr
    assert repo.path("feat-x").is_dir()
    assert not (repo.path("feat-x") / "later").exists()
    assert not (repo.path("") / "executed").exists()
    refused = repo("remove", "feat-x")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "failed with exit code 8" in refused.stderr
    assert repo.names() == ["trunk", "feat-x"]
    forced = repo("remove", "feat-x", "--force")
    assert "failed with exit code 9" in forced.stderr
    assert forced.returncode == 1
    assert repo.names() == ["trunk"]


def test_no_hooks(repo: Repo) -> None:
    repo.hooks(post_create="touch ../ran", pre_remove="touch ../ran", post_remove="touch ran")
    repo.approve()
    repo.done("feat", "x", "--no-hooks")
    repo.done("remove", "feat-x", "--no-hooks")
    assert not list(repo.home.path.glob("*/ran"))


def test_a_broken_file_keeps_no_worktree_from_being_made(repo: Repo) -> None:
    repo.tree.commit(FILE, "[hooks]\npost-create = 3\n")
    done = repo("feat", "x")
    assert repo.path("feat-x").is_dir()
    assert f"{FILE}, line 2: hooks.post-create is 3; allowed: text in quotes" in done.stderr
    shown = repo("worktree", "hooks", "list", "feat-x")
    assert (shown.returncode, shown.stdout) == (2, "")


# ---- on a terminal -----------------------------------------------------------------------


def test_asked_about_with_no_as_the_default_then_asked_again_when_it_changes(repo: Repo) -> None:
    repo.hooks(post_create="touch made")
    with repo.terminal("feat", "x") as terminal:
        shown = terminal.wait_for("very text? [y/N]", deadline=30)
        assert "touch made" in shown
        terminal.write("\r")
        terminal.wait_for("code=0", deadline=30)
    assert not (repo.path("feat-x") / "made").exists()
    with repo.terminal("feat", "y") as terminal:
        terminal.wait_for("very text? [y/N]", deadline=30)
        terminal.write("y\r")
        terminal.wait_for("code=0", deadline=30)
    assert (repo.path("feat-y") / "made").exists()
    with repo.terminal("feat", "z") as terminal:
        assert "very text?" not in terminal.wait_for("code=0", deadline=30)
    assert (repo.path("feat-z") / "made").exists()
    repo.hooks(post_create="touch other")
    with repo.terminal("feat", "w") as terminal:
        terminal.wait_for("which has changed since you approved it", deadline=30)
        terminal.wait_for("very text? [y/N]", deadline=30)
        terminal.write("\x03")
        terminal.wait_for("code=130", deadline=30)
    assert repo.path("feat-w").is_dir()
    assert not (repo.path("feat-w") / "other").exists()


def test_what_was_shown_is_what_runs(repo: Repo) -> None:
    """While it is asked about, the file gets another text: that is shown, and nothing ran yet."""
    repo.hooks(post_create="touch shown")
    with repo.terminal("feat", "x") as terminal:
        terminal.wait_for("very text? [y/N]", deadline=30)
        (repo.path("feat-x") / FILE).write_text("[hooks]\npost-create = 'touch swapped'\n")
        terminal.write("y\r")
        terminal.wait_for("touch swapped", deadline=30)
        assert not list(repo.path("feat-x").glob("s*ed"))
        terminal.write("n\r")
        terminal.wait_for("code=0", deadline=30)
    assert not (repo.path("feat-x") / "shown").exists()
    assert not (repo.path("feat-x") / "swapped").exists()


def test_a_hook_that_changes_the_file_runs_on_as_it_was_approved(repo: Repo) -> None:
    change = 'echo "[hooks]" > .zdriver.toml; echo "post-create = \'touch evil\'" >> .zdriver.toml'
    repo.hooks(post_create=[change, "touch second"])
    repo.approve()
    repo.done("feat", "x")
    assert (repo.path("feat-x") / "second").exists()
    assert not (repo.path("feat-x") / "evil").exists()


@pytest.mark.parametrize("where", ["here", "only in its branch"])
def test_one_that_hangs_ends_with_ctrl_c_and_the_worktree_stays(repo: Repo, where: str) -> None:
    """In the process that was called, and where a fork server's child stands in for it."""
    repo.hooks(post_create="echo waiting; sh -c 'echo $$ > ../pid; exec sleep 1000'; touch later")
    repo.approve()
    if where != "here":
        repo.tree.git("branch", "feat-x")
        repo.tree.git("rm", "-q", FILE)
        repo.tree.git("commit", "-q", "-m", "no hooks any more")
    with repo.terminal("feat", "x") as terminal:
        terminal.wait_for("waiting", deadline=30)
        until((repo.path("") / "pid").exists, what="the hook", deadline=30)
        pid = int(_number(repo.path("") / "pid"))
        terminal.write("\x03")
        shown = terminal.wait_for("code=1", deadline=30)
        assert "failed with exit code 130" in shown
    until(lambda: not processes.alive(pid), what="the end of the hook", deadline=30)
    assert not (repo.path("feat-x") / "later").exists()
    assert repo.names() == ["trunk", "feat-x"]


def test_a_removal_whose_hook_is_interrupted_does_not_happen(repo: Repo) -> None:
    repo.hooks(pre_remove="echo waiting; sleep 1000")
    repo.approve()
    repo.done("feat", "x")
    with repo.terminal("remove", "feat-x") as terminal:
        terminal.wait_for("waiting", deadline=30)
        terminal.write("\x03")
        assert "feat-x stays: its hook pre-remove failed" in terminal.wait_for("code=4", deadline=30)
    assert repo.names() == ["trunk", "feat-x"]
    assert repo.path("feat-x").is_dir()


def test_a_merge_has_the_hooks_of_a_removal_and_no_merge_without_them(repo: Repo) -> None:
    repo.hooks(pre_remove="test -e ../allowed", post_remove="touch ../app.worktrees/after")
    repo.approve()
    repo.done("feat", "x")
    Tree(repo.path("feat-x")).commit("new", "x\n")
    before = repo.tree.head
    refused = repo("merge", "feat-x")
    assert (refused.returncode, repo.tree.head) == (4, before)
    (repo.path("") / "allowed").touch()
    repo.done("merge", "feat-x")
    assert repo.tree.head != before
    assert (repo.path("") / "after").exists()
    assert repo.names() == ["trunk"]


def _number(file: Path) -> str:
    until(lambda: file.read_text().strip(), what="a pid")
    return file.read_text()


def test_it_has_the_terminal_itself(repo: Repo) -> None:
    """As `sudo` asks for a password: on /dev/tty, whatever the descriptors are."""
    repo.hooks(post_create="printf 'password: ' > /dev/tty; read -r x < /dev/tty; echo \"$x\" > said")
    repo.approve()
    with repo.terminal("feat", "x") as terminal:
        terminal.wait_for("password:", deadline=30)
        terminal.write("secret\r")
        terminal.wait_for("code=0", deadline=30)
    assert (repo.path("feat-x") / "said").read_text() == "secret\n"


def test_output_is_shown_as_it_comes(repo: Repo) -> None:
    repo.hooks(post_create='echo first; read -r x; echo "second $x"')
    repo.approve()
    with repo.terminal("feat", "x") as terminal:
        terminal.wait_for("first", deadline=30)
        terminal.write("word\r")
        terminal.wait_for("second word", deadline=30)
        terminal.wait_for("code=0", deadline=30)


def test_one_that_leaves_something_in_the_background_is_not_waited_for(repo: Repo) -> None:
    repo.hooks(post_create="setsid sleep 1000 > /dev/null 2>&1 & echo $! > ../pid")
    repo.approve()
    done = repo.done("feat", "x")
    assert done.stdout == f"{repo.path('feat-x')}\n"
    pid = int(_number(repo.path("") / "pid"))
    assert processes.alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_command_that_is_ended_takes_its_hook_along(repo: Repo) -> None:
    repo.hooks(post_create="echo $$ > ../pid; exec sleep 1000")
    repo.approve()
    caller = subprocess.Popen(
        [*program(), "feat", "x"], env=repo.home.env, cwd=repo.tree.path, stderr=subprocess.DEVNULL
    )
    until((repo.path("") / "pid").exists, what="the hook", deadline=30)
    pid = int(_number(repo.path("") / "pid"))
    caller.terminate()
    assert caller.wait(20) == -signal.SIGTERM
    until(lambda: not processes.alive(pid), what="the end of the hook", deadline=30)
    assert repo.names() == ["trunk", "feat-x"]


# ---- worktree hooks ----------------------------------------------------------------------


def test_list_show_approve_revoke(repo: Repo) -> None:
    repo.hooks(post_create=["npm ci", "make db"], pre_remove="make down")
    repo.done("feat", "x", "--no-hooks")
    listed = repo.done("worktree", "hooks", "list", "feat-x").stdout
    assert "post-create  not approved" in listed
    assert "  npm ci\n  make db\n" in listed
    assert repo.done("worktree", "hooks", "show", "pre-remove").stdout == "make down\n"
    unread = repo("worktree", "hooks", "approve", "feat-x")
    assert unread.returncode == 2
    assert "--yes" in unread.stderr
    allowed = repo.done("worktree", "hooks", "approve", "feat-x", "--hook", "post-create", "--yes")
    assert "npm ci" in allowed.stderr  # what is allowed is shown
    data = repo.cli.data("worktree", "hooks", "list", cwd=repo.tree.path)
    assert [(each["hook"], each["approved"]) for each in data] == [
        ("post-create", True),
        ("pre-remove", False),
    ]
    missing = repo("worktree", "hooks", "approve", "--hook", "post-remove", "--yes")
    assert missing.returncode == 3
    assert repo.cli.data("worktree", "hooks", "revoke", "post-create", cwd=repo.tree.path)["count"] == 1
    left_out = repo("worktree", "hooks", "run", "post-create", "feat-x")
    assert (left_out.returncode, left_out.stdout) == (1, "")
    assert "it is not approved" in left_out.stderr
