package preflight

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/disagg/disagg/pkg/protocol"
)

// model looks whether the folder of all models is there, and one of the model's own. If none of these is, the model's
// bare name is used, as upstream does: its test knows folders of other names, and an engine may know the name and
// download it. So that is fatal only where the profile says that the model's folder must be there.
func (h Host) model(context.Context) []protocol.Finding {
	if h.ModelsRoot != "" && isMissing(h.ModelsRoot) {
		return fatal(protocol.CheckModel,
			"there is no "+h.ModelsRoot+": mount it, or correct models_root in the profile")
	}
	if len(h.ModelFolders) == 0 {
		return nil
	}
	for _, dir := range h.ModelFolders {
		if !isMissing(dir) {
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

// isMissing tells whether there is nothing at a path. What cannot be asked may be there.
func isMissing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
