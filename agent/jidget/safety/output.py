"""One output under its rules: since when it has been on, until when it may be, and what it may be set to now. Pure."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from jidget.durations import format_duration, write_duration
from jidget.safety.changes import Earlier, Forced
from jidget.safety.memory import Remembered
from jidget.things.host import Thing
from jidget.things.rules import OutputId, Rules
from jidget.things.values import BadValue, check_value, show_value
from jidget_drivers import Property, Scalar


class Output:
    """One writable property of a Thing.

    Attributes:
        thing: whose.
        prop: which, as seen outside.
        past: what outlives the process.
        pending: a change that must still be made; None if there is none.
        resumes_at: when it goes back to what was commanded before the agent started; None if it does not.
        changed: set when its keeper should look at it.
    """

    # there may be thousands
    __slots__ = ("_now", "_switched", "_unseen", "changed", "past", "pending", "prop", "resumes_at", "thing")

    def __init__(self, thing: Thing, prop: Property, *, now: Callable[[], float] = time.time) -> None:
        """Take the Thing, the property, and the wall clock, which only people are shown."""
        self.thing = thing
        self.prop = prop
        self.past = Remembered()
        self.pending: Forced | None = None
        self.resumes_at: float | None = None
        self.changed = asyncio.Event()
        self._now = now
        self._switched: deque[float] | None = None
        self._unseen = False

    @property
    def rules(self) -> Rules:
        """Return what it is held to: a Thing that comes into the house may add an interlock."""
        return self.thing.rules[self.prop.name]

    @property
    def id(self) -> OutputId:
        """Return Thing and property."""
        return self.thing.id, self.prop.name

    @property
    def name(self) -> str:
        """Return `THING.PROPERTY`."""
        return f"{self.thing.id}.{self.prop.name}"

    @property
    def insists(self) -> bool:
        """Whether a change is pending that a rule wants; one that only restores gives way to any."""
        return self.pending is not None and not self.pending.restores

    def is_on(self, value: Scalar) -> bool:
        """Whether a value counts as on."""
        return self.rules.is_on(self.prop, value)

    def exact(self, value: Scalar) -> Scalar:
        """Return what to set for a value: what is as good as safe, as far as it shows, is set to safe and no less."""
        return value if self.rules.safe is None or self.is_on(value) else self.rules.safe

    @property
    def on(self) -> bool | None:
        """Whether it is on, as far as it tells; None where that is not known."""
        seen = self.thing.values.get(self.prop.name)
        if self.rules.safe is None:
            return False
        if not self.thing.availability.available:
            return None
        if seen is None:
            return (
                None if self.past.on_since is None and self.past.off_since is None else self.past.on_since is not None
            )
        return self.is_on(seen.value)

    @property
    def deadline(self) -> float | None:
        """Return when it must change by itself; None for never."""
        ends = [end for end in (self.past.until, self._longest) if end is not None]
        return min(ends, default=None)

    @property
    def _longest(self) -> float | None:
        """Return when `max_on` is over."""
        if self.past.on_since is None or self.rules.max_on is None:
            return None
        return self.past.on_since + self.rules.max_on

    # ---- what may be ------------------------------------------------------------------------------------------------

    def objection(self, value: Scalar, at: float, span: float | None = None) -> str | None:
        """Say which of its own rules forbids a value at a time (seconds of CLOCK_BOOTTIME), and until when.

        Args:
            value: what it is to be set to.
            at: now.
            span: for how many seconds, with a `for`.
        """
        safe = self.rules.safe
        if self.rules.unfit and (safe is None or self.is_on(value)):
            return f"{self.name} is not set, as its safety rules do not fit it: {self.rules.unfit}"
        if not self.is_on(value):
            return self._too_early_off(at)
        if self.pending is not None and not self.pending.restores:
            return f"{self.name} is to go to {show_value(self.prop, self.pending.value)}: {self.pending.why}"
        rules, past = self.rules, self.past
        if rules.max_on is not None and span is not None:
            if span > rules.max_on:
                return f"{self.name} may be on for {write_duration(rules.max_on)} at most (max_on)"
            if self._longest is not None and at + span > self._longest:
                return f"{self.name} may stay on only until {self._say(self._longest, at)} (max_on)"
        if past.on_since is None and past.off_since is not None and at < past.off_since + rules.min_off:
            return f"{self.name} must stay off until {self._say(past.off_since + rules.min_off, at)} (min_off)"
        if past.on_since is None and rules.rate is not None:
            most, within = rules.rate
            recent = [then for then in self._switched or () if then > at - within]
            if len(recent) >= most:
                again = self._say(recent[-most] + within, at)
                span_said = write_duration(within)
                return f"{self.name} was switched {most} times in {span_said} (rate_limit): wait until {again}"
        return None

    def _too_early_off(self, at: float) -> str | None:
        since = self.past.on_since
        if since is None or at >= since + self.rules.min_on:
            return None
        until = self._say(since + self.rules.min_on, at)
        return f"{self.name} must stay on until {until} (min_on). In an emergency: stop"

    def say_until(self, at: float) -> str:
        """Say when it changes by itself: `off again at 12:34:56Z, in 10 min`; nothing if it does not."""
        if self.deadline is None:
            return ""
        value = show_value(self.prop, self.target)
        return f"{value} again at {self._say(self.deadline, at)}"

    @property
    def target(self) -> Scalar:
        """Return what it goes to by itself."""
        if self.rules.safe is not None:
            return self.rules.safe
        if self.past.before is None:
            raise ValueError(f"{self.name} has nothing to go to")
        return self.past.before

    def _say(self, when: float, at: float) -> str:
        left = max(0.0, when - at)
        clock = time.strftime("%H:%M:%SZ", time.gmtime(self._now() + left))
        return f"{clock}, in {format_duration(left)}"

    # ---- what happens -----------------------------------------------------------------------------------------------

    def begin(self, value: Scalar, at: float, by: str, span: float | None) -> Earlier:
        """Note that it is being set to a value, before anything moves; return how it was until now.

        Until it has been seen to be on, showing that it is off is old news and does not end a `for`. Nor does switching
        it off, until it is seen to be off.
        """
        dropped = self.pending if self.rules.safe is None or (self.pending and self.pending.restores) else None
        shown = self.thing.values.get(self.prop.name)
        earlier = Earlier(past=replace(self.past), dropped=dropped, shown=shown, unseen=self._unseen)
        past = self.past
        self._unseen = self.is_on(value)
        if self.is_on(value) and past.on_since is None:
            past.on_since = at
            if self.rules.rate is not None:
                self._switched = self._switched or deque(maxlen=self.rules.rate[0])
                self._switched.append(at)
        past.before = self._before() if span is not None and self.rules.safe is None else None
        if self.rules.safe is None:
            past.until = at + span if span is not None and past.before is not None else None
        elif self.is_on(value):
            past.until = at + span if span is not None else None
        past.commanded, past.by = value, by
        self.resumes_at = None
        if dropped is not None:
            self.pending = None
        return earlier

    def _before(self) -> Scalar | None:
        """Return what a `for` goes back to where nothing is safe: that of the `for` it takes the place of, else now."""
        if self.past.until is not None and self.past.before is not None:
            return self.past.before
        seen = self.thing.values.get(self.prop.name)
        return None if seen is None else seen.value

    def undo(self, earlier: Earlier, at: float) -> None:
        """Note that nothing moved after all. What it showed meanwhile counts, whoever moved it."""
        if earlier.past.on_since is None and self.past.on_since is not None and self._switched:
            self._switched.pop()
        self.past, self._unseen = earlier.past, earlier.unseen
        self.pending = self.pending or earlier.dropped
        shown = self.thing.values.get(self.prop.name)
        if shown is not None and shown is not earlier.shown:
            self.observed(at)

    def observed(self, at: float) -> bool:
        """Take notice of what it shows now; return whether that changes what is to be remembered."""
        if self.rules.safe is None:
            return False
        on = self.is_on(self.thing.values[self.prop.name].value)
        if on:
            self._unseen = False
        if on == (self.past.on_since is not None):
            return False
        if on:
            self.past.on_since = at
        else:
            self.past.on_since, self.past.off_since = None, at
            if not self._unseen:
                self.past.until = None
        return True

    def expire(self, at: float) -> Forced | None:
        """Return the change that is due at a time, if one is; from then on it is pending."""
        if not self.insists and self.deadline is not None and self.deadline <= at:
            over = self.past.until is not None and self.past.until <= at
            longest = self._longest is not None and self._longest <= at
            rule = (
                f"max_on is {write_duration(self.rules.max_on or 0)}" if longest else "the time it was set for is over"
            )
            self.pending = Forced(value=self.target, why=rule, by=self.past.by, expected=over and not longest)
        return self.pending

    # ---- after a start ----------------------------------------------------------------------------------------------

    def wake(self, remembered: tuple[Remembered, bool] | None, at: float) -> None:
        """Take over what an earlier process knew; what it is to be set to before anything else is pending then."""
        past, same_boot = remembered or (Remembered(), True)
        limited = past.until is not None or (past.on_since is not None and self.rules.max_on is not None)
        over = limited and not same_boot
        if not same_boot:  # it was off at least since this boot, and until its deadline it is not on any more
            past.on_since, past.off_since, past.until = None, None, None
        if self.rules.safe is None and (past.before is None or not self._fits(past.before)):
            past.until = past.before = None  # the configuration has changed since: there is nothing to go back to
        self.past = past
        if past.off_since is None and self.rules.min_off:
            past.off_since = at
        if self.deadline is not None and self.deadline <= at:
            over = True
        if not over and self.rules.restore and past.commanded is not None and self._fits(past.commanded):
            why = 'on_start is "restore"'
            if self.is_on(past.commanded) and self.rules.min_off:
                self._wait_to_resume(at)
                return
            if not self.is_on(past.commanded):
                past.on_since = past.until = None
            elif past.on_since is None:
                past.on_since = at
            self.pending = Forced(value=past.commanded, why=why, by=past.by, expected=True, restores=True)
            self._unseen = self.is_on(past.commanded)
        elif self.rules.safe is not None:
            why = "its time was over when the agent started" if over else "the agent started"
            self.pending = Forced(value=self.rules.safe, why=why, by=past.by, expected=not over)
        elif over and past.before is not None:
            self.pending = Forced(value=past.before, why="its time is over", by=past.by)

    def _wait_to_resume(self, at: float) -> None:
        """Stay off for `min_off` before going back on: nobody knows for how long it has been off."""
        if self.past.until is None:  # what was set for a while is over sooner than it would be back
            self.resumes_at = at + self.rules.min_off
        safe = self.rules.safe
        if safe is not None:
            why = f"the agent started, and min_off is {write_duration(self.rules.min_off)}"
            self.pending = Forced(value=safe, why=why, by=self.past.by, expected=True, lasting=self.resumes_at is None)

    def take_over(self, other: "Output") -> None:
        """Go on where the output of the Thing that this one takes the place of has been."""
        self.past, self.pending, self.resumes_at = other.past, other.pending, other.resumes_at
        self._switched, self._unseen = other._switched, other._unseen

    def made(self, forced: Forced, at: float) -> None:
        """Note that a pending change was made, as far as the device tells."""
        self.pending = None
        if forced.lasting:
            self.past.commanded = forced.value
        if self.rules.safe is None:
            self.past.until = None
        self.settled(forced.value, at)

    def settled(self, value: Scalar, at: float) -> None:
        """Note that it was set to a value, where the device does not tell."""
        if self.rules.safe is None or self.is_on(value):
            return
        if self.past.on_since is not None:
            self.past.off_since = at
        self.past.on_since = self.past.until = None

    @property
    def remembers(self) -> bool:
        """Whether its past must outlive the process."""
        return self.rules.safe is not None or self.rules.restore or self.past.until is not None

    def _fits(self, value: Scalar) -> bool:
        try:
            check_value(self.prop, value)
        except BadValue:  # the configuration has changed since
            return False
        return True
