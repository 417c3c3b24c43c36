"""Whether a series grows: Theil–Sen's slope, beside the medians of its first and last third."""
from dataclasses import dataclass
from itertools import combinations
from statistics import median


@dataclass(frozen=True)
class Growth:
    first: float
    last: float
    per_sample: float
    """The median of the slopes between all pairs of samples."""
    over_series: float
    """What that comes to from the first sample to the last."""
    allowed: float

    @property
    def grows(self):
        """Both must say so: a slope may be that of a wave, a difference that of one step early on."""
        return self.over_series > self.allowed and self.last - self.first > self.allowed


def growth(series, allowed):
    third = max(1, len(series) // 3)
    slopes = [(later - earlier) / (j - i) for (i, earlier), (j, later) in combinations(enumerate(series), 2)]
    slope = median(slopes) if slopes else 0.0
    return Growth(median(series[:third]), median(series[-third:]), slope, slope * (len(series) - 1), allowed)


def _self_check():
    """The verdict on series whose answer is known."""
    flat, wave = [100, 101] * 30, [100 + index % 10 for index in range(60)]
    leak, step = [100 + 2 * index for index in range(60)], [100] * 5 + [140] * 55
    late = [100] * 35 + [100 + 4 * index for index in range(25)]
    for series, expected in ((flat, False), (wave, False), (leak, True), (step, False), (late, True)):
        assert growth(series, 5).grows == expected, (series, growth(series, 5))


_self_check()
