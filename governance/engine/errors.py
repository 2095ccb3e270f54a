"""What is wrong with a rule, said so that its author can put it right."""


class RuleError(ValueError):
    """One fault in a rule.

    `where` names the field ("when", "measures[0].where", "measures[1].window"), `position` is the 0-based
    character offset in that field's source and `line` its 1-based line there; both are None when the fault
    has no place in a source.
    """

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        position: int | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.position = position
        self.line = line

    def __str__(self) -> str:
        place = self.where
        if self.position is not None:
            place += f" at character {self.position + 1}"
            if self.line is not None and self.line > 1:
                place += f" (line {self.line})"
        return f"{place}: {self.message}" if place else self.message


class RuleErrors(RuleError):
    """Several faults at once; the first one is this error's own text, `errors` holds them all."""

    def __init__(self, errors: list[RuleError]) -> None:
        first = errors[0]
        super().__init__(first.message, where=first.where, position=first.position, line=first.line)
        self.errors = tuple(errors)
