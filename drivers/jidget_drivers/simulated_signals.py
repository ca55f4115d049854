"""How the value of a simulated sensor moves. Pure but for the walk's and the counter's memory of their last value."""

import math
import random

from jidget_drivers.properties import Kind, Scalar
from jidget_drivers.simulated_options import SimulatedProperty, Waveform

_STEP = 0.05
"""Longest step of a walk, as a part of the way from bottom to top."""


class Signal:
    """One property's waveform."""

    def __init__(self, name: str, spec: SimulatedProperty) -> None:
        self._spec = spec
        self._waveform = spec.moves_by
        # Seeded by its name: the same configuration walks the same way each time, two properties do not walk alike.
        self._random = random.Random(name if spec.seed is None else spec.seed)  # noqa: S311  # a simulation, no secret
        self._walked = (spec.bottom + spec.top) / 2
        self._count = spec.bottom

    @property
    def counts(self) -> bool:
        """Whether it is a counter: then each value counts, and a read that fails must not use one up."""
        return self._waveform is Waveform.COUNTER

    def next(self, elapsed: float) -> Scalar:
        """Return the value `elapsed` seconds after the start; a walk and a counter go one step."""
        spec = self._spec
        phase = elapsed / spec.period % 1.0
        match self._waveform:
            case Waveform.SQUARE:
                return spec.choices[int(phase * len(spec.choices))]
            case Waveform.RAMP:
                return self._typed(spec.bottom + (spec.top - spec.bottom) * phase)
            case Waveform.WALK:
                return self._typed(self._walk())
            case Waveform.COUNTER:
                count = self._count
                self._count += 1
                return self._typed(count)
            case _:
                middle, swing = (spec.bottom + spec.top) / 2, (spec.top - spec.bottom) / 2
                return self._typed(middle + swing * math.sin(2 * math.pi * phase))

    def _walk(self) -> float:
        low, high = self._spec.bottom, self._spec.top
        there = self._walked + self._random.uniform(-_STEP, _STEP) * (high - low)
        self._walked = min(max(there, low), high)
        return self._walked

    def _typed(self, value: float) -> Scalar:
        return round(value) if self._spec.type is Kind.INTEGER else value
