"""A task that gets a secret as a file. Create it first: secretkit create my_file_secret -f /path/to/secret_file"""

import os

from secretkit import Secret, current_context, task, workflow


@task(
    secret_requests=[
        Secret(key="my_file_secret", mount_requirement=Secret.MountType.FILE),
    ]
)
def t1():
    path_to_secret_file = current_context().secrets.get_secrets_file("my_file_secret")
    with open(path_to_secret_file, "r") as f:
        secret_value = f.read()
    # Do something with the secret, for example talk to an external API. Do not return it.
    print(f"t1 read {path_to_secret_file}, which has {len(secret_value)} characters")
    return path_to_secret_file


@workflow
def main():
    path = t1()
    print("after t1, the file is", "still there" if os.path.exists(path) else "gone")


if __name__ == "__main__":
    main()
