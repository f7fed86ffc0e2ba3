"""Every error that we raise on purpose, by who can mend it: the thing, what was found, what was expected."""


class CatalogError(Exception):
    """The root: one clear message for whoever can mend it."""


class ConfigError(CatalogError):
    """The operator mends this one by editing conf/."""

    def __init__(self, key: str, found: object, expected: str) -> None:
        super().__init__(key, found, expected)  # all of it in args, so it survives pickling

    def __str__(self) -> str:
        key, found, expected = self.args
        return f"conf key '{key}': found {found!r}, expected {expected}"


class ContractError(CatalogError):
    """Whoever wrote the table, file or row mends this one."""

    def __init__(self, thing: str, found: object, expected: str) -> None:
        super().__init__(thing, found, expected)

    def __str__(self) -> str:
        thing, found, expected = self.args
        return f"{thing}: found {found}, expected {expected}"


class ModelError(CatalogError):
    """Whoever trained or registered the model mends this one."""

    def __init__(self, thing: str, found: object, expected: str) -> None:
        super().__init__(thing, found, expected)

    def __str__(self) -> str:
        thing, found, expected = self.args
        return f"model {thing}: found {found}, expected {expected}"


class ConflictError(CatalogError):
    """Another writer came first: running again mends this one."""

    def __init__(self, thing: str, found: object, expected: str) -> None:
        super().__init__(thing, found, expected)

    def __str__(self) -> str:
        thing, found, expected = self.args
        return f"{thing}: found {found}, expected {expected}; run again"


class BackendError(CatalogError):
    """An outside service failed; `retry` says whether asking again may help."""

    def __init__(self, service: str, problem: str, *, retry: bool = False) -> None:
        super().__init__(service, problem, retry)
        self.retry = retry

    def __reduce__(self) -> tuple[object, ...]:
        service, problem, retry = self.args
        return _backend_error, (service, problem, retry)

    def __str__(self) -> str:
        service, problem, retry = self.args
        return f"{service}: {problem}" + (" (asking again may help)" if retry else "")


def _backend_error(service: str, problem: str, retry: bool) -> BackendError:
    return BackendError(service, problem, retry=retry)
