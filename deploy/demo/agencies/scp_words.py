"""SCP's own words and bits for what the world knows."""

from __future__ import annotations

NATIONALITIES = {
    "AL": "Albanian",
    "XK": "Kosovan",
    "VN": "Vietnamese",
    "IQ": "Iraqi",
    "IR": "Iranian",
    "SY": "Syrian",
    "SD": "Sudanese",
    "EG": "Egyptian",
    "RO": "Romanian",
    "MD": "Moldovan",
    "GB": "UK",
    "IE": "Irish",
}
FLAGS = {"VIOLENT": 1, "WEAPONS": 2, "ESCAPER": 4, "SELF_HARM": 8}
NEEDS = {"DOMESTIC_ABUSE": 16, "NRM": 32}
GENDERS = {"MALE": "M", "FEMALE": "F", "OTHER": "X"}
RETENTION = {
    "CURRENT": "Current",
    "REVIEW_DUE": "Review",
    "DISPOSE": "Dispose",
    "RESTRICTED": "Restricted",
}
INVOLVEMENTS = {
    "SUSPECT": "Suspected",
    "CONVICTED": "Charged",
    "VICTIM": "Aggrieved",
    "WITNESS": "Witness",
}
COLOURS = {
    "BLUE": "BLU",
    "BLACK": "BLK",
    "SILVER": "SIL",
    "WHITE": "WHI",
    "RED": "RED",
    "GREY": "GRY",
    "GREEN": "GRN",
}
TAGS = {"OIC": "OIC", "MODERN_SLAVERY": "MS", "DOMESTIC": "DA"}
ALERTS = {
    "WANTED": "Wanted",
    "MISSING": "Missing",
    "LOCATE": "Locate/Trace",
    "BORDER_STOP": "Border Stop",
    "BAIL": "Bail",
}
OCCUPANCIES = {
    "HOME": "Home",
    "WORK": "Work",
    "FREQUENTS": "Frequents",
    "ASYLUM_ACCOMMODATION": "Asylum",
}
STATUSES = {"OPEN": "Open", "UNDER_INVESTIGATION": "Investigating", "CLOSED": "Filed"}
