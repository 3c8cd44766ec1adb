"""A task that reads a secret as a value. Create it first: secretkit create my_secret"""

from secretkit import Secret, current_context, task, workflow


@task(secret_requests=[Secret(key="my_secret")])
def t1():
    secret_value = current_context().secrets.get(key="my_secret")
    # Do something with the secret, for example talk to an external API. Do not return it.
    print(f"t1 got my_secret, which has {len(secret_value)} characters")


@workflow
def main():
    t1()


if __name__ == "__main__":
    main()
