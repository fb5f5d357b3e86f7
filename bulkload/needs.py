"""What an API needs of a connection, whatever the connection says: which settings, and which credentials."""

from collections.abc import Iterable
from dataclasses import replace

from bulkload.resource import Api, Operation, Parameter, Resource, Scheme


def schemes(api: Api, resources: Iterable[Resource]) -> tuple[Scheme, ...]:
    """What the operations of the resources are signed with: each scheme once, with all its scopes that they name."""
    found: dict[str, Scheme] = {}
    scopes: dict[str, dict[str, None]] = {}
    for resource in resources:
        for operation in _operations(resource):
            for scheme in operation.security:
                found.setdefault(scheme.name, scheme)
                scopes.setdefault(scheme.name, {}).update(dict.fromkeys(scheme.scopes))
    return tuple(replace(scheme, scopes=tuple(scopes[name])) for name, scheme in found.items())


def credential_names(api: Api, scheme: Scheme) -> tuple[tuple[str, ...], ...]:
    """Which credentials a security scheme asks for: alternatives, of which the first that is there whole counts.

    - apiKey: one of the scheme's own name (`app_key`)
    - basic: `username` and `password`
    - bearer: `token`
    - oauth2: `refresh_token` and `client_id` (and `client_secret`, if there is one), or `client_id` and
      `client_secret`, or `token`
    - bearer or oauth2 where the API has a token call: what that call asks for, or `token`

    A bare `token` comes last, since it can't be renewed. Beside the others it is used until it is refused.
    """
    if scheme.kind == "apiKey":
        return ((scheme.name,),)
    if scheme.kind == "basic":
        return (("username", "password"),)
    if api.token:
        signing = (name for each in api.token.operation.security for name in credential_names(api, each)[0])
        return (tuple(dict.fromkeys([*api.token.credentials, *signing])), ("token",))
    if scheme.kind == "oauth2":
        return (("refresh_token", "client_id"), ("client_id", "client_secret"), ("token",))
    return (("token",),)


def known_credentials(api: Api) -> set[str]:
    """Every credential that some way of signing in to the API uses."""
    every = schemes(api, api.resources.values())
    return {name for scheme in every for names in credential_names(api, scheme) for name in names}


def needed_settings(resources: Iterable[Resource]) -> dict[str, Parameter]:
    """The required parameters, by name, that a connection must set: no row, look-up or credential gives them."""
    found = {}
    for resource in resources:
        own = {parameter.name for parameter in resource.create.parameters}
        given = resource.find.given if resource.find else {}
        for operation in _operations(resource):
            keys = {scheme.field.lower() for scheme in operation.security if scheme.kind == "apiKey"}
            finding = resource.find is not None and operation is resource.find.operation
            for parameter in operation.parameters:
                # A path parameter that creating doesn't have is the ID of the record.
                of_record = parameter.place == "path" and parameter.name not in own
                by_row = parameter.name in given if finding else of_record
                if parameter.required and not by_row and parameter.name.lower() not in keys:
                    found[parameter.name] = parameter
    return found


def known_settings(api: Api) -> dict[str, Parameter]:
    """Every parameter, by name, that a connection may set: neither a credential nor the ID of a record."""
    keys = {scheme.field.lower() for scheme in schemes(api, api.resources.values()) if scheme.kind == "apiKey"}
    ids = set[str]()
    for resource in api.resources.values():
        own = {parameter.name for parameter in resource.create.parameters}
        ids |= {column.name for column in resource.columns if column.place == "path"} - own
    every = {parameter.name: parameter for operation in api.operations for parameter in operation.parameters}
    return {name: parameter for name, parameter in every.items() if name not in ids and name.lower() not in keys}


def _operations(resource: Resource) -> list[Operation]:
    """What an import of the resource calls, and the settling of its unknown rows."""
    siblings = (resource.update, resource.read, resource.find.operation if resource.find else None)
    return [resource.create, *(operation for operation in siblings if operation)]
