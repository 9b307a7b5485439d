package perfsanity

import (
	"encoding/json"
	"regexp"
	"strings"
)

// JobDocument is upstream's fields of the CI job that a run is part of, from its environment, as upstream's test finds
// them out. Outside of CI they are empty.
func JobDocument(getenv func(string) string) map[string]any {
	g := ciJob(getenv("globalVars"))
	url := getenv("BUILD_URL")
	doc := map[string]any{
		"s_host_node_name": getenv("HOST_NODE_NAME"), "s_build_id": getenv("BUILD_ID"), "s_build_url": url,
		"s_job_name": getenv("JOB_NAME"), "s_stage_name": getenv("stageName"),
		"s_commit": getenv("gitlabCommit"), "s_job_url": g.parent.URL, "s_job_id": string(g.parent.Number),
		"s_branch": g.branch(), "s_trigger_mr_user": g.user(), "s_trigger_mr_link": g.PullRequest,
		"s_trigger_mr_id": g.pullRequestID(), "s_trigger_mr_commit": getenv("gitlabCommit"), "s_artifact_url": "",
		"b_is_post_merge": strings.Contains(g.parent.URL, "PostMerge"), "b_is_pr_job": g.PullRequest != "",
		"b_is_baseline": false, "b_is_valid": true, "b_is_regression": false,
	}
	for _, name := range []string{"s_branch", "s_commit"} {
		if doc[name] == "" {
			delete(doc, name) // the checkout may know
		}
	}
	return doc
}

// ci is the part of the variable globalVars that counts. It is JSON with a piece of HTML in it.
type ci struct {
	Action struct {
		Parents []ciParent `json:"parents"`
		Trigger string     `json:"trigger_info"`
	} `json:"action_info"`
	PullRequest string `json:"github_pr_api_url"`
	BuildBranch string `json:"build_branch"`
	parent      ciParent
}

type ciParent struct {
	URL    string      `json:"url"`
	Number json.Number `json:"build_number"`
}

// ciJob reads the variable; what cannot be read is empty.
func ciJob(text string) (g ci) {
	dec := json.NewDecoder(strings.NewReader(text))
	if dec.Decode(&g) != nil {
		return ci{}
	}
	if n := len(g.Action.Parents); n > 0 {
		g.parent = g.Action.Parents[n-1]
	}
	return g
}

func (g ci) branch() string {
	if g.BuildBranch != "" {
		return g.BuildBranch
	}
	return matched(`/job/LLM/job/([^/]+)/job/`, g.parent.URL)
}

func (g ci) user() string {
	return matched(`target="_blank">([^<]+)</a><br/>Git Commit:`, g.Action.Trigger)
}

func (g ci) pullRequestID() string { return matched(`/pulls/(\d+)`, g.PullRequest) }

// matched is the first group of an expression in a text, "" if it is not there.
func matched(expression, text string) string {
	if m := regexp.MustCompile(expression).FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}
