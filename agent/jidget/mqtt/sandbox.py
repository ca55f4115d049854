"""Jinja2 for strangers' templates: what they reach is bounded by its sandbox, what they cost by a `Budget`.

The count is compiled in: every loop, macro and block pays for its body each time, every filter, test, call and
operator for what it is given and what it makes. Nothing is calculated while compiling. So neither nested loops nor
growing texts nor a list of itself can take more than `Budget` allows, and no thread, signal or clock is needed.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import BuiltinMethodType, MethodType
from typing import Any

import jinja2
from jinja2 import nodes, pass_context, pass_environment
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter

from jidget.mqtt.budget import Budget
from jidget.mqtt.filters import FILTERS, FUNCTIONS, TESTS
from jidget.mqtt.filters_time import TIME_FILTERS, TIME_FUNCTIONS, TIME_TESTS
from jidget.mqtt.growth import GUARDS, METHODS, OWNERS, PYTHON_OWNERS, check_percent, check_product, check_spec, joined
from jidget.mqtt.metering import JOIN, SPEND, WEIGH, WEIGH_LIST, meter
from jidget.mqtt.regexes import Patterns
from jidget.mqtt.templates import TemplateFailed, TooMuch

_DROPPED = ("forceescape", "indent", "pprint", "striptags", "urlize", "wordwrap", "xmlattr")
"""For HTML and for people's eyes: no payload needs them, and each would need a bound of its own."""
_LOOKUPS = frozenset({"get", "items", "keys", "values"})
"""Methods of a dict that look at nothing but what they return."""
_CALL_UNITS = 5
_TEST_UNITS = 2
_OPERATOR_UNITS = 3


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 with Home Assistant's additions, on a budget. One rendering at a time."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self) -> None:
        """Have everything that costs pay."""
        super().__init__(
            extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do"], optimized=False, cache_size=0, autoescape=False
        )
        self.budget = budget = Budget()
        self.finalize = pass_context(lambda _context, value: budget.weigh(value))
        for name in _DROPPED:
            del self.filters[name]
        del self.globals["lipsum"]
        patterns = Patterns(budget)
        self.filters |= FILTERS | TIME_FILTERS | {
            "is_defined": _is_defined,
            "join": _join,
            "sum": self._sum,
            "regex_match": patterns.match,
            "regex_search": patterns.search,
            "regex_replace": patterns.replace,
            "regex_findall": patterns.findall,
            "regex_findall_index": patterns.findall_index,
        }  # fmt: skip
        self.tests |= TESTS | TIME_TESTS | {"match": patterns.match, "search": patterns.search}
        self.globals |= FUNCTIONS | TIME_FUNCTIONS
        self.globals |= {name: pass_environment(_extreme(name)) for name in ("min", "max")}
        for name, function in dict[str, Any](self.filters).items():
            self.filters[name] = self._paying(function, _CALL_UNITS, GUARDS.get(name))
        for name, test in dict[str, Any](self.tests).items():
            self.tests[name] = self._paying(test, _TEST_UNITS, None)
        self.filters |= {
            WEIGH: budget.weigh,
            WEIGH_LIST: self._weigh_list,
            SPEND: self._spend,
            JOIN: self._concatenate,
        }

    def _paying(
        self, function: Callable[..., Any], units: int, guard: Callable[..., None] | None
    ) -> Callable[..., Any]:
        budget = self.budget
        first = 1 if hasattr(function, "jinja_pass_arg") else 0

        def paying(*arguments: Any, **named: Any) -> Any:
            budget.spend(units)
            for argument in arguments[first:]:
                budget.weigh(argument)
            for argument in named.values():
                budget.weigh(argument)
            if guard is not None:
                guard(budget, *arguments[first:], **named)
            return self._made(function(*arguments, **named))

        paying.__dict__.update(getattr(function, "__dict__", {}))  # what it wants to be passed
        return paying

    def _made(self, result: Any) -> Any:
        """Pay for a result; what is made one by one pays when it is."""
        if isinstance(result, Iterator):
            return self.budget.metered(result)
        return self.budget.weigh(result)

    # ---- what the compiled code calls --------------------------------------------------------------------------------

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = meter(super()._parse(source, name, filename))
        tree.set_environment(self)
        return tree

    def _spend(self, units: int) -> bool:
        self.budget.spend(units)
        return True

    def _weigh_list(self, value: Any) -> Any:
        """Pay for looking at all elements: not where there is a table of them."""
        return value if isinstance(value, dict | set) else self.budget.weigh(value)

    def _concatenate(self, values: list[Any]) -> str:
        for value in values:
            self.budget.weigh(value)
        text = "".join(map(str, values))
        self.budget.characters(len(text))
        return text

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up an item; a tuple as key costs its hash."""
        if type(argument) is tuple:
            self.budget.weigh(argument)
        return super().getitem(obj, argument)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a function, macro or method, if it is one that may be called."""
        budget = __self.budget
        budget.spend(_CALL_UNITS)
        for argument in (*args, *kwargs.values()):
            budget.weigh(argument)
        if isinstance(__obj, BuiltinMethodType | MethodType):
            if type(__obj.__self__) is dict and __obj.__name__ in _LOOKUPS:
                return super().call(__context, __obj, *args, **kwargs)
            args = __self._check_method(__obj, args, kwargs)
        result = super().call(__context, __obj, *args, **kwargs)
        return result if isinstance(result, Undefined | Macro) else __self._made(result)

    def _check_method(self, method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        owner, name = method.__self__, method.__name__
        if isinstance(method, MethodType):
            if not isinstance(owner, PYTHON_OWNERS):
                raise SecurityError(f"{name} of {type(owner).__name__} may not be called")
            return args
        kind = owner if isinstance(owner, type) else type(owner)
        if not any(issubclass(kind, base) and name in names for base, names in OWNERS):
            raise SecurityError(f"{name} of {kind.__name__} may not be called")
        self.budget.weigh(owner)
        guard = METHODS.get(name)
        return args if guard is None else guard(self.budget, owner, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Calculate, if the result will not be too large."""
        budget = self.budget
        budget.spend(_OPERATOR_UNITS)
        budget.weigh(left)
        if operator == "%" and isinstance(left, str | bytes):
            check_percent(budget, left, right)
        budget.weigh(right)
        if operator in {"*", "**"}:
            check_product(budget, operator, left, right)
        return budget.weigh(super().call_binop(context, operator, left, right))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return what stands for `format` and `format_map` of a text: without large widths."""
        if super().wrap_str_format(value) is None:
            return None
        text, mapped = str(value.__self__), value.__name__ == "format_map"

        def formatted(*args: Any, **kwargs: Any) -> str:
            return _Formatter(self).vformat(text, () if mapped else args, args[0] if mapped else kwargs)

        return formatted

    @staticmethod
    @pass_environment
    def _sum(environment: "Sandbox", items: Any, attribute: Any = None, start: Any = 0) -> Any:
        if attribute is not None:
            items = environment.call_filter(
                "map", items, kwargs={"attribute": attribute}, context=_context(environment)
            )
        for item in items:
            start = environment.call_binop(_context(environment), "+", start, item)
        return start


class _Formatter(SandboxedFormatter):
    def __init__(self, env: Sandbox) -> None:
        super().__init__(env)
        self._budget = env.budget

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return super().convert_field(self._budget.weigh(value), conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        check_spec(format_spec)
        return str(self._budget.weigh(super().format_field(self._budget.weigh(value), format_spec)))


def _context(environment: Sandbox) -> Context:
    return Context(environment, {}, None, {})


def _is_defined(value: Any) -> Any:
    if isinstance(value, Undefined):
        value()  # says what is undefined
    return value


@pass_environment
def _join(environment: Sandbox, items: Any, d: str = "", attribute: Any = None) -> str:
    if attribute is not None:
        items = environment.call_filter("map", items, kwargs={"attribute": attribute}, context=_context(environment))
    return joined(environment.budget, str(d), items)


def _extreme(name: str) -> Callable[..., Any]:
    def extreme(environment: Sandbox, *values: Any, **named: Any) -> Any:
        items = values[0] if len(values) == 1 else values
        return environment.call_filter(name, items, kwargs=named)

    return extreme


@cache
def _sandbox() -> Sandbox:
    return Sandbox()


class Rendering:
    """A template, to be called with its variables."""

    def __init__(self, text: str) -> None:
        """Compile a template.

        Raises:
            TemplateFailed: it is none, or uses what there is not.
        """
        self._sandbox = sandbox = _sandbox()
        try:
            self._template = jinja2.Template.from_code(sandbox, sandbox.compile(text), sandbox.globals)
        except TemplateFailed:
            raise
        except Exception as error:  # whatever a stranger's text makes of Jinja2's or Python's compiler
            raise TemplateFailed(f"it cannot be compiled: {_said(error)}") from None

    def __call__(self, variables: Mapping[str, Any]) -> str:
        """Return the text it makes, stripped.

        Raises:
            TemplateFailed: it cannot be rendered.
            TooMuch: it costs too much.
        """
        template = self._template
        self._sandbox.budget.renew()
        try:
            return "".join(template.root_render_func(template.new_context(dict(variables)))).strip()
        except TooMuch:
            raise
        except jinja2.TemplateError as error:
            raise TemplateFailed(_said(error), payload_counts=True) from None
        except Exception as error:  # whatever a stranger's text makes of Python: TypeError, RecursionError, …
            raise TemplateFailed(_said(error)) from None


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
