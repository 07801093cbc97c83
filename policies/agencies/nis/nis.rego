# METADATA
# title: National Image Service
# description: May withhold, silence, hide and narrow; never allow.
package agencies.nis

import data.gateway.lib

consents := true

# METADATA
# title: Ranking by face is for people trained for it
withhold[id] := {
	"rule": "nis.operators",
	"text": "Refer to a trained operator.",
	"desk": "face",
	"action": "refer",
} if {
	some id in (lib.of_type("FaceCandidate") & lib.of_agency("NIS"))
	not "face_operator" in input.subject.training
}
