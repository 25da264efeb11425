import com.simba.athena.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.simba.athena.amazonaws.services.securitytoken.AWSSecurityTokenServiceClientBuilder;
import com.simba.athena.amazonaws.services.securitytoken.model.GetCallerIdentityRequest;

public class Java1 {
    public static void main(String[] words) throws Exception {
        var endpoint = new EndpointConfiguration(
            System.getenv("AWS_ENDPOINT_URL"), System.getenv("AWS_REGION"));
        var client = AWSSecurityTokenServiceClientBuilder.standard()
            .withEndpointConfiguration(endpoint).build();
        var end = System.currentTimeMillis() + 1000 * Long.parseLong(words[0]);
        while (System.currentTimeMillis() < end) {
            var who = client.getCallerIdentity(new GetCallerIdentityRequest());
            System.out.println("java-1 " + who.getArn());
            Thread.sleep(500);
        }
    }
}
