"""An application that keeps the API keys of the services it talks to, in an encrypted file beside its data."""

import os

import secretkit


class ApiKeys:
    def __init__(self, secrets):
        self.secrets = secrets

    def keep(self, service, key):
        self.secrets.put(f"api-keys/{service}", key)

    def authorization(self, service):
        return "Bearer " + self.secrets.get(f"api-keys/{service}").text()


def main():
    if not os.path.exists("my-app.key"):
        secretkit.create_root_key("my-app.key")
    keys = ApiKeys(secretkit.open("sqlite:my-app/secrets.db", key="file:my-app.key"))
    keys.keep("weather", "k3y-from-the-weather-people")
    header = keys.authorization("weather")
    print(f"calling the weather service with a header of {len(header)} characters")


if __name__ == "__main__":
    main()
