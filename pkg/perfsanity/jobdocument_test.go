package perfsanity_test

import (
	"testing"

	"github.com/disagg/disagg/pkg/perfsanity"
)

// A CI job's fields come from its environment as upstream's test reads them; a variable that cannot be read loses no
// other field, and outside of CI nothing is claimed.
func TestJobDocument(t *testing.T) {
	env := map[string]string{
		"BUILD_ID": "17", "BUILD_URL": "https://ci/x/17/", "JOB_NAME": "LLM/main/L0", "HOST_NODE_NAME": "n1",
		"stageName": "GB200-PerfSanity", "gitlabCommit": "abc",
		"globalVars": `{"github_pr_api_url": "https://api.host/repos/o/r/pulls/123", "action_info": {
			"parents": [{"url": "https://ci/first"},
				{"url": "https://ci/job/LLM/job/main/job/L0_PostMerge/5/", "build_number": 5}],
			"trigger_info": "x <a href=\"u\" target=\"_blank\">somebody</a><br/>Git Commit: abc"}}`,
	}
	get := func(name string) string { return env[name] }
	has(t, perfsanity.JobDocument(get), map[string]any{
		"s_build_id": "17", "s_job_url": "https://ci/job/LLM/job/main/job/L0_PostMerge/5/", "s_job_id": "5",
		"s_branch": "main", "s_commit": "abc", "b_is_post_merge": true, "b_is_pr_job": true, "s_trigger_mr_id": "123",
		"s_trigger_mr_user": "somebody", "s_stage_name": "GB200-PerfSanity", "s_host_node_name": "n1",
	})
	env["globalVars"] = "{cut off"
	has(t, perfsanity.JobDocument(get), map[string]any{"s_build_id": "17", "s_job_url": "", "b_is_post_merge": false})
	env = nil
	doc := perfsanity.JobDocument(get)
	has(t, doc, map[string]any{"s_build_id": "", "b_is_valid": true, "b_is_baseline": false})
	if _, there := doc["s_branch"]; there {
		t.Errorf("%v", doc)
	}
}
