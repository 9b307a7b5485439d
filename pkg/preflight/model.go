package preflight

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/disagg/disagg/pkg/protocol"
)

// model looks whether one of the model's folders is there. If none is, the model's bare name is used, as upstream does:
// its test knows folders of other names, and an engine may know the name and download it. So it is fatal only where the
// profile says that the folder must be there.
func (h Host) model(context.Context) []protocol.Finding {
	if len(h.ModelFolders) == 0 {
		return nil
	}
	for _, dir := range h.ModelFolders {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) { // what cannot be asked may be there
			return nil
		}
	}
	what := "there is no " + strings.Join(h.ModelFolders, " and no ")
	if h.NeedModel {
		return fatal(protocol.CheckModel, what+": mount the models, or correct models_root in the profile")
	}
	const act = "correct models_root in the profile if that is wrong"
	return told(protocol.CheckModel, what+": the model's bare name is used: "+act)
}
