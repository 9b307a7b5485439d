package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// classPath is the plugin's goal that finds the jars of a pom, and downloads them once.
const classPath = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"

var errNoJars = errors.New("the jars of OpenSearch cannot be downloaded")

var prefixes atomic.Int32

// OpenSearch makes a prefix of indices of an OpenSearch node, which is started if there is none yet. The URL is of a
// sink that keeps its records there.
func OpenSearch(t testing.TB) *url.URL {
	t.Helper()
	java, maven := found("java"), found("mvn")
	if java == "" || maven == "" {
		t.Skip("Java or Maven is not installed: apt-get install openjdk-17-jre-headless maven")
	}
	p, err := once("opensearch", func() (*process, error) { return startOpenSearch(java, maven) })
	if errors.Is(err, errNoJars) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &url.URL{
		Scheme: "opensearch", Host: "127.0.0.1:" + strconv.Itoa(p.port), Path: fmt.Sprintf("/t%d", prefixes.Add(1)),
		RawQuery: "tls=off",
	}
}

func startOpenSearch(java, maven string) (*process, error) {
	dir, err := os.MkdirTemp("", "opensearch-")
	if err != nil {
		return nil, err
	}
	p := &process{name: "opensearch", dir: dir}
	// The runner's first node listens behind the port that it is given, and it takes none above 9299.
	if p.port, err = freePortOf(9201, 9299); err != nil {
		return p, err
	}
	_, file, _, _ := runtime.Caller(0)
	list := filepath.Join(dir, "classpath")
	cmd := exec.Command(maven, "-q", "-B", classPath, "-Dmdep.outputFile="+list)
	cmd.Dir = filepath.Join(filepath.Dir(file), "opensearch")
	if out, err := cmd.CombinedOutput(); err != nil {
		return p, fmt.Errorf("%w: %w: %s", errNoJars, err, out)
	}
	jars, err := os.ReadFile(list)
	if err != nil {
		return p, err
	}
	p.make = func(p *process) *exec.Cmd {
		cmd := exec.Command(java, "-Xms512m", "-Xmx512m", "-cp", strings.TrimSpace(string(jars)),
			"org.codelibs.opensearch.runner.OpenSearchRunner", "-basePath", filepath.Join(dir, "node"), "-numOfNode",
			"1",
			"-baseHttpPort", strconv.Itoa(p.port-1), "-clusterName", "tests", "-useLogger")
		cmd.Dir = dir
		return cmd
	}
	p.ask = func(p *process) error {
		client := http.Client{Timeout: time.Second}
		defer client.CloseIdleConnections()
		answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/_cluster/health?wait_for_status=yellow", p.port))
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return errors.New(answer.Status)
		}
		return nil
	}
	return p, p.start()
}
