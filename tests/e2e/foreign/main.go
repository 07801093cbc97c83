// Opens a signed note from standard input with the verifiers of other people, and prints who has
// signed it, one name a line. Arguments: public keys in their form name+hash+key.
//
// Notes are opened by golang.org/x/mod/sumdb/note, which the checksum database of Go itself rests
// on; a key of a witness (algorithm 4) is read by github.com/transparency-dev/formats.
package main

import (
	"fmt"
	"io"
	"os"

	cosigned "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	message, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	var verifiers []note.Verifier
	for _, key := range os.Args[1:] {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			verifier, err = cosigned.NewVerifierForCosignatureV1(key)
		}
		if err != nil {
			fail(fmt.Errorf("%s: %w", key, err))
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open(message, note.VerifierList(verifiers...))
	if err != nil {
		fail(err)
	}
	for _, signature := range opened.Sigs {
		fmt.Println(signature.Name)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
