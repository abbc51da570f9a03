"""What each event did, as the event trail tells it: for programs, such as the story that `make demo` plays."""

from typing import Any

from eventbridge.journey import Journey, journey_of
from eventbridge.models import DeadLetter, TrailStep
from eventbridge.wording import one_line, span

NEWEST = 50


def ways() -> list[dict[str, Any]]:
    """The ways of the newest events, the newest first."""
    firsts = TrailStep.objects.firsts()[:NEWEST]
    journeys = TrailStep.objects.journeys([step.event_id for step in firsts])
    return [_way(journey_of(steps)) for steps in journeys.values() if steps]


def _way(journey: Journey) -> dict[str, Any]:
    stops = sorted((stop for lane in journey.lanes for stop in lane.stops), key=lambda stop: stop.step.place())
    told = [
        {
            "what": stop.step.what,
            "who": one_line(stop.step.consumer),
            "note": one_line(stop.step.note),
            "after": span(stop.after),
        }
        for stop in stops
        if stop.step.what != TrailStep.What.RECORDED
    ]
    about = {"id": journey.id, "type": journey.type, "subject": journey.subject}
    return {**{name: one_line(text) for name, text in about.items()}, "stops": told}


def dead() -> list[dict[str, Any]]:
    """What was given up, the latest first. `number` is what the replay command wants."""
    letters = DeadLetter.objects.order_by("-pk").values_list("pk", "event_id")[:NEWEST]
    return [{"number": number, "id": one_line(event_id)} for number, event_id in letters]
