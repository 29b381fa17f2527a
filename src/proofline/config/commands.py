"""`proofline profile`: ready-made recipes, into params.yaml and out of it."""

from __future__ import annotations

import argparse


def add_profile_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the command line."""
    profile = commands.add_parser("profile", help="ready-made recipes").add_subparsers(metavar="ACTION", required=True)
    use = profile.add_parser("use", help="merge a profile into params.yaml; refuses to replace hand edits")
    use.add_argument("name")
    use.add_argument(
        "--force", action="store_true", help="replace hand edits, keeping the old file as params.yaml.bak-N"
    )
    use.set_defaults(run=run_profile_use)
    profile.add_parser("list", help="the profiles; * is the one in params.yaml").set_defaults(run=run_profile_list)
    diff = profile.add_parser("diff", help="how params.yaml differs from a profile")
    diff.add_argument("name", nargs="?", help="default: the nearest one")
    diff.set_defaults(run=run_profile_diff)
    save = profile.add_parser("save", help="write params.yaml as a profile of your own")
    save.add_argument("name")
    save.add_argument("--force", action="store_true", help="replace an existing profile, keeping its comments")
    save.set_defaults(run=run_profile_save)


def run_profile_use(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.config.profiles import use_profile

    made, backup = use_profile(repository_root(), options.name, force=options.force)
    if backup:
        print(f"kept the old recipe as {backup.name}")
    print(f"params.yaml is now {options.name}: {len(made)} values changed")
    for change in made:
        print(f"  {change}")


def run_profile_list(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.config.profiles import describe, nearest_profile, profile_names

    root = repository_root()
    nearest, edits = nearest_profile(root)
    for name in profile_names(root):
        mark = "*" if name == nearest else " "
        print(f"{mark} {name:20} {describe(root, name)}")
    for edit in edits:
        print(f"  params.yaml edits {nearest}: {edit}")


def run_profile_diff(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.config.profiles import differences, nearest_profile

    root = repository_root()
    name, edits = (options.name, differences(root, options.name)) if options.name else nearest_profile(root)
    print(f"params.yaml against {name}: {len(edits)} values differ")
    for edit in edits:
        print(f"  {edit}")


def run_profile_save(options: argparse.Namespace) -> None:
    from proofline.config.environment import repository_root
    from proofline.config.profiles import save_profile

    made = save_profile(repository_root(), options.name, force=options.force)
    print(f"profiles/{options.name}.yaml is now params.yaml: {len(made)} values changed")
    for change in made:
        print(f"  {change}")
