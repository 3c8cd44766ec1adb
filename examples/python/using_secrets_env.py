"""A task that gets a secret in an environment variable. Create it first: secretkit create my_api_key"""

import os

from secretkit import Secret, task, workflow


@task(secret_requests=[Secret(key="my_api_key", env_var="MY_API_KEY")])
def t1():
    # Many libraries look for their key in a variable of a certain name.
    print(f"t1 got MY_API_KEY, which has {len(os.environ['MY_API_KEY'])} characters")


@workflow
def main():
    t1()
    print("after t1, MY_API_KEY is", "still set" if "MY_API_KEY" in os.environ else "gone")


if __name__ == "__main__":
    main()
